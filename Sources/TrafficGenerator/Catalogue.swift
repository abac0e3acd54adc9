/// The sites, sections and articles of a generated publisher; made once, then only read.
///
/// A class, because the tables are large and a generator is a value that people copy.
final class Catalogue: Sendable {
    /// A part of `text`.
    struct Slice: Sendable {
        var offset: UInt32
        var length: UInt32
    }

    struct Section: Sendable {
        var site: UInt16
        /// The path, `/level_0/level_1`.
        var path: Slice
    }

    struct Page: Sendable {
        var site: UInt16
        /// The path, `/level_0/level_1/a/1234567.html`.
        var path: Slice
        /// ms since 1970 UTC; nobody reads it earlier.
        var published: Int64
    }

    /// All paths, one after the other: one block of memory for four million articles.
    let text: [UInt8]
    let hosts: [[UInt8]]
    let sections: [Section]
    /// By popularity, the most read first.
    let pages: [Page]
    let siteTable: AliasTable
    let sectionTable: AliasTable
    let pageTable: AliasTable

    init(_ options: TrafficOptions) {
        // A stream of its own: more events do not change which articles there are.
        var random = TrafficRandom(seed: TrafficRandom.mix(options.seed) ^ 0x6361_7461_6C6F_6775)
        hosts = CatalogueNames.hosts(count: options.sites)
        let zipf = PowerLaw(exponentHundredths: 100)
        siteTable = AliasTable(weights: (1...options.sites).map(zipf.weight))

        var text: [UInt8] = []
        sections = Self.makeSections(options, siteTable: siteTable, random: &random, text: &text)
        let flat = PowerLaw(exponentHundredths: 70)
        sectionTable = AliasTable(weights: (1...options.sections).map(flat.weight))
        pages = Self.makePages(
            options, sections: sections, sectionTable: sectionTable, random: &random, text: &text)
        let pageLaw = PowerLaw(exponentHundredths: Int((options.pageExponent * 100).rounded()))
        pageTable = AliasTable(weights: (1...options.pages).map(pageLaw.weight))
        self.text = text
    }

    private static func makeSections(
        _ options: TrafficOptions, siteTable: AliasTable, random: inout TrafficRandom,
        text: inout [UInt8]
    ) -> [Section] {
        var made = [Int](repeating: 0, count: options.sites)
        return (0..<options.sections).map { index in
            // Each site has one section at least; the others go where the readers are.
            let site = index < options.sites ? index : siteTable.draw(&random)
            let path = append(to: &text) { CatalogueNames.appendSection(made[site], to: &$0) }
            made[site] += 1
            return Section(site: UInt16(site), path: path)
        }
    }

    /// Articles get their numbers in the order of publication, as an editorial system gives them.
    private static func makePages(
        _ options: TrafficOptions, sections: [Section], sectionTable: AliasTable,
        random: inout TrafficRandom, text: inout [UInt8]
    ) -> [Page] {
        let published = (0..<options.pages).map { _ in publication(options, random: &random) }
        let order = published.indices.sorted { (published[$0], $0) < (published[$1], $1) }
        var numbers = [Int64](repeating: 0, count: options.pages)
        for (place, page) in order.enumerated() { numbers[page] = firstArticle + Int64(place) }
        return (0..<options.pages).map { page in
            let section = sections[sectionTable.draw(&random)]
            let path = append(to: &text) { out in
                let start = Int(section.path.offset)
                out.append(contentsOf: Array(out[start..<start + Int(section.path.length)]))
                out.append(contentsOf: "/a/".utf8)
                out.appendDecimal(numbers[page])
                out.append(contentsOf: ".html".utf8)
            }
            return Page(site: section.site, path: path, published: published[page])
        }
    }

    /// Seven digits for up to four million articles.
    private static let firstArticle: Int64 = 1_234_567
    private static let day: Int64 = 86_400_000

    /// Two of three articles are of the span or the day before it; the others up to a year older.
    private static func publication(
        _ options: TrafficOptions, random: inout TrafficRandom
    ) -> Int64 {
        if random.below(3) > 0 {
            let range = options.spanMilliseconds + day
            return options.startMilliseconds - day + Int64(random.below(Int(range)))
        }
        return options.startMilliseconds - day - Int64(random.below(Int(365 * day)))
    }

    private static func append(to text: inout [UInt8], _ write: (inout [UInt8]) -> Void) -> Slice {
        let start = text.count
        write(&text)
        return Slice(offset: UInt32(start), length: UInt32(text.count - start))
    }
}

/// The words that addresses are made of.
enum CatalogueNames {
    private static let originals = [
        "www.rtl.lu", "5minutes.rtl.lu", "today.rtl.lu", "www.eldo.lu",
    ]
    private static let first = [
        "actu", "sport", "culture", "economie", "lifestyle", "meteo", "soci%C3%A9t%C3%A9", "tech",
        "mobilite", "sante", "sciences", "opinion", "voyages", "cuisine", "cinema", "musique",
    ]
    private static let second = [
        "monde", "national", "europe", "regions", "analyse", "interviews", "en-direct", "dossiers",
        "portraits", "photos", "archives", "enqu%C3%AAtes",
    ]

    /// The original deployment's four, then `news5.example.org` and so on.
    static func hosts(count: Int) -> [[UInt8]] {
        (0..<count).map { index in
            index < originals.count
                ? Array(originals[index].utf8) : Array("news\(index + 1).example.org".utf8)
        }
    }

    /// Appends the path of a site's section number `index`: all are different.
    static func appendSection(_ index: Int, to out: inout [UInt8]) {
        let combination = index % (first.count * second.count)
        out.append(UInt8(ascii: "/"))
        out.append(contentsOf: first[combination % first.count].utf8)
        out.append(UInt8(ascii: "/"))
        out.append(contentsOf: second[combination / first.count].utf8)
        let round = index / (first.count * second.count)
        if round > 0 {
            out.append(UInt8(ascii: "-"))
            out.appendDecimal(Int64(round + 1))
        }
    }
}
