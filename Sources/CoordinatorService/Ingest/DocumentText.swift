import CoordinatorCore
import FoundationEssentials

/// The JSON of documents as they are made on first sight.
///
/// - Shape: semantics of `J::W:`, `J::S:`, `J::P:` documents, and of `J::A:`,
///   `J::V:`, `J::PC:`; times are ms since 1970.
struct DocumentText {
    /// What documents of this shape say of themselves; a change of it counts up, and `apply` brings
    /// older documents up to it.
    static let schemaVersion = 2

    private let encoder: JSONEncoder

    init() {
        encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    }

    /// A record's whole document.
    func document(_ number: Int32, of book: RecordBook, visited: Int64) -> [UInt8] {
        let record = book.records[Int(number)]
        switch book.details[Int(number)] {
        case .website(let name):
            return encode(
                Website(
                    id: record.id.hex, name: name, lastVisited: visited, sections: [], pages: [],
                    words: Self.words(name)))
        case .section(let name, let levels, let website):
            return encode(
                Section(
                    id: record.id.hex, name: name, levels: Self.levels(levels),
                    lastVisited: visited, website: reference(website, book), pages: [],
                    words: Self.words(name)))
        case .page(let page):
            let section = SectionOfPage(
                id: page.sectionID.hex, name: page.section, levels: Self.levels(page.levels))
            return encode(
                Page(
                    id: record.id.hex, url: page.url, articleID: page.articleID,
                    lastVisited: visited,
                    metadata: Metadata(),
                    website: reference(record.website, book), section: section,
                    words: SearchWords.words(ofURL: page.url).joined(separator: " ")))
        case .item(let name):
            return encode(Item(id: record.id.hex, name: name, lastVisited: visited))
        }
    }

    /// What is known of a page's article, with its words as they are searched for.
    ///
    /// - Units: `displayDate` in ms since 1970.
    func metadata(title: String?, kicker: String?, displayDate: Int64?) -> [UInt8] {
        let texts = [title, kicker].compactMap(\.self).joined(separator: " ")
        return encode(
            Metadata(
                title: title, kicker: kicker, displayDate: displayDate, words: Self.words(texts)))
    }

    private static func words(_ text: String) -> String {
        SearchWords.words(of: text).joined(separator: " ")
    }

    /// A record's entry in its parent's list, without the closing brace: the visit follows.
    func child(_ number: Int32, of book: RecordBook) -> [UInt8] {
        let record = book.records[Int(number)]
        var text: [UInt8]
        switch book.details[Int(number)] {
        case .website(let name), .section(let name, _, _), .item(let name):
            text = encode(Reference(id: record.id.hex, name: name))
        case .page(let page):
            text = encode(ChildPage(id: record.id.hex, url: page.url, articleID: page.articleID))
        }
        text.removeLast()
        return text
    }

    private func reference(_ website: Int32, _ book: RecordBook) -> Reference {
        guard website >= 0, case .website(let name) = book.details[Int(website)] else {
            preconditionFailure("record \(website) is no website")
        }
        return Reference(id: book.records[Int(website)].id.hex, name: name)
    }

    private static func levels(_ names: [String]) -> [String: String] {
        var levels: [String: String] = [:]
        for (index, name) in names.enumerated() { levels["level_\(index)"] = name }
        return levels
    }

    private func encode(_ value: some Encodable) -> [UInt8] {
        do {
            return Array(try encoder.encode(value))
        } catch {
            // Strings and integers always have a JSON form.
            preconditionFailure("a document could not be encoded: \(error)")
        }
    }
}

private struct Reference: Encodable {
    let id: String
    let name: String
}

private struct ChildPage: Encodable {
    let id: String
    let url: String
    let articleID: UInt64?

    enum CodingKeys: String, CodingKey {
        case id, url
        case articleID = "article_id"
    }
}

private struct Website: Encodable {
    let schemaVersion = DocumentText.schemaVersion
    let id: String
    let name: String
    let lastVisited: Int64
    let sections: [Reference]
    let pages: [ChildPage]
    /// The words of the name, as they are searched for.
    let words: String

    enum CodingKeys: String, CodingKey {
        case id, name, sections, pages, words
        case lastVisited = "last_visited"
        case schemaVersion = "schema_version"
    }
}

private struct Item: Encodable {
    let schemaVersion = DocumentText.schemaVersion
    let id: String
    let name: String
    let lastVisited: Int64

    enum CodingKeys: String, CodingKey {
        case id, name
        case schemaVersion = "schema_version"
        case lastVisited = "last_visited"
    }
}

private struct Section: Encodable {
    let schemaVersion = DocumentText.schemaVersion
    let id: String
    let name: String
    let levels: [String: String]
    let lastVisited: Int64
    let website: Reference
    let pages: [ChildPage]
    /// The words of the name, as they are searched for.
    let words: String

    enum CodingKeys: String, CodingKey {
        case id, name, levels, website, pages, words
        case lastVisited = "last_visited"
        case schemaVersion = "schema_version"
    }
}

private struct SectionOfPage: Encodable {
    let id: String
    let name: String
    let levels: [String: String]
}

/// What is known of an article; the members are there from the start, as null.
private struct Metadata: Encodable {
    var title: String?
    var kicker: String?
    var displayDate: Int64?
    /// Only where there is a title or kicker.
    var words: String?

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(title, forKey: .title)
        try container.encode(kicker, forKey: .kicker)
        try container.encode(displayDate, forKey: .displayDate)
        try container.encodeIfPresent(words, forKey: .words)
    }

    enum CodingKeys: String, CodingKey {
        case title, kicker, words
        case displayDate = "display_date"
    }
}

private struct Page: Encodable {
    let schemaVersion = DocumentText.schemaVersion
    let id: String
    let url: String
    let articleID: UInt64?
    let lastVisited: Int64
    let metadata: Metadata
    let website: Reference
    let section: SectionOfPage
    /// The words of the URL, as they are searched for.
    let words: String

    enum CodingKeys: String, CodingKey {
        case id, url, metadata, website, section, words
        case articleID = "article_id"
        case lastVisited = "last_visited"
        case schemaVersion = "schema_version"
    }
}
