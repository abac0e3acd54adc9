import CoordinatorCore
import FoundationEssentials

/// The JSON of documents as they are made on first sight.
///
/// - Shape: semantics of `J::W:`, `J::S:`, `J::P:` documents; times are ms since 1970.
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
                Website(id: record.id.hex, name: name, last_visited: visited, sections: [], pages: []))
        case .section(let name, let levels, let website):
            return encode(
                Section(
                    id: record.id.hex, name: name, levels: Self.levels(levels),
                    last_visited: visited, website: reference(website, book), pages: []))
        case .page(let page):
            let section = SectionOfPage(
                id: page.sectionID.hex, name: page.section, levels: Self.levels(page.levels))
            return encode(
                Page(
                    id: record.id.hex, url: page.url, article_id: page.articleID,
                    last_visited: visited,
                    metadata: Metadata(title: nil, kicker: nil, display_date: nil),
                    website: reference(record.website, book), section: section))
        }
    }

    /// A record's entry in its parent's list, without the closing brace: the visit follows.
    func child(_ number: Int32, of book: RecordBook) -> [UInt8] {
        let record = book.records[Int(number)]
        var text: [UInt8]
        switch book.details[Int(number)] {
        case .website(let name), .section(let name, _, _):
            text = encode(Reference(id: record.id.hex, name: name))
        case .page(let page):
            text = encode(ChildPage(id: record.id.hex, url: page.url, article_id: page.articleID))
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

// Property names are those of the documents.
private struct Reference: Encodable {
    let id: String
    let name: String
}

private struct ChildPage: Encodable {
    let id: String
    let url: String
    let article_id: UInt64?
}

private struct Website: Encodable {
    let id: String
    let name: String
    let last_visited: Int64
    let sections: [Reference]
    let pages: [ChildPage]
}

private struct Section: Encodable {
    let id: String
    let name: String
    let levels: [String: String]
    let last_visited: Int64
    let website: Reference
    let pages: [ChildPage]
}

private struct SectionOfPage: Encodable {
    let id: String
    let name: String
    let levels: [String: String]
}

private struct Metadata: Encodable {
    let title: String?
    let kicker: String?
    let display_date: Int64?
}

private struct Page: Encodable {
    let id: String
    let url: String
    let article_id: UInt64?
    let last_visited: Int64
    let metadata: Metadata
    let website: Reference
    let section: SectionOfPage
}
