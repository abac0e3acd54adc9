import CoordinatorCore
import FoundationEssentials

/// The JSON of documents as they are made on first sight.
///
/// - Shape: semantics of `J::W:`, `J::S:`, `J::P:` documents, and of `J::A:`,
///   `J::V:`, `J::PC:`; times are ms since 1970.
struct DocumentText {
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
                    id: record.id.hex, name: name, lastVisited: visited, sections: [], pages: []))
        case .section(let name, let levels, let website):
            return encode(
                Section(
                    id: record.id.hex, name: name, levels: Self.levels(levels),
                    lastVisited: visited, website: reference(website, book), pages: []))
        case .page(let page):
            let section = SectionOfPage(
                id: page.sectionID.hex, name: page.section, levels: Self.levels(page.levels))
            return encode(
                Page(
                    id: record.id.hex, url: page.url, articleID: page.articleID,
                    lastVisited: visited,
                    metadata: Metadata(),
                    website: reference(record.website, book), section: section))
        case .item(let name):
            return encode(Item(id: record.id.hex, name: name, lastVisited: visited))
        }
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
    let id: String
    let name: String
    let lastVisited: Int64
    let sections: [Reference]
    let pages: [ChildPage]

    enum CodingKeys: String, CodingKey {
        case id, name, sections, pages
        case lastVisited = "last_visited"
    }
}

private struct Item: Encodable {
    let id: String
    let name: String
    let lastVisited: Int64

    enum CodingKeys: String, CodingKey {
        case id, name
        case lastVisited = "last_visited"
    }
}

private struct Section: Encodable {
    let id: String
    let name: String
    let levels: [String: String]
    let lastVisited: Int64
    let website: Reference
    let pages: [ChildPage]

    enum CodingKeys: String, CodingKey {
        case id, name, levels, website, pages
        case lastVisited = "last_visited"
    }
}

private struct SectionOfPage: Encodable {
    let id: String
    let name: String
    let levels: [String: String]
}

/// What enrichment will know; the members are there from the start, as null.
private struct Metadata: Encodable {
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        for key in CodingKeys.allCases { try container.encodeNil(forKey: key) }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case title, kicker
        case displayDate = "display_date"
    }
}

private struct Page: Encodable {
    let id: String
    let url: String
    let articleID: UInt64?
    let lastVisited: Int64
    let metadata: Metadata
    let website: Reference
    let section: SectionOfPage

    enum CodingKeys: String, CodingKey {
        case id, url, metadata, website, section
        case articleID = "article_id"
        case lastVisited = "last_visited"
    }
}
