public import CoordinatorCore
public import EventLoop
import Hashing
import RedisClient

/// A website, section, page or item that a question is about.
public struct RecordReference: Sendable, Equatable {
    public let dimension: Dimension
    public let id: RecordID
    /// As it was understood: a website in its real spelling, `WEBSITE/section`, a page's URL, an
    /// item's own id, or an id.
    public let name: String

    /// A record by its id, with the name it was found by.
    public init(dimension: Dimension, id: RecordID, name: String) {
        self.dimension = dimension
        self.id = id
        self.name = name
    }

    /// What tells it apart from every other record.
    public var key: RecordKey { RecordKey(dimension: dimension, id: id) }
}

/// A record among those of all dimensions: an audio and a video may have one id, because their
/// players gave them one.
public struct RecordKey: Hashable, Sendable {
    public let dimension: Dimension
    public let id: RecordID

    /// A record of a dimension.
    public init(dimension: Dimension, id: RecordID) {
        self.dimension = dimension
        self.id = id
    }
}

/// Finds the records that people name.
///
/// Websites are upper-cased unless a site table names them otherwise, so a name is tried as it is
/// written first and in upper case then.
///
/// - Errors: `.question` with one sentence that says what there is no such thing of.
/// - Thread: loop only.
@LoopActor public struct RecordFinder {
    private let deployment: Deployment

    /// A finder of what a deployment has counted.
    public init(_ deployment: Deployment) {
        self.deployment = deployment
    }

    /// A website by its name or id.
    public func website(_ name: String) async throws(ServiceError) -> RecordReference {
        if let id = RecordID(hex: name.lowercased()) {
            return RecordReference(dimension: .website, id: id, name: id.hex)
        }
        for spelling in spellings(name) {
            let id = SHA1Hasher().recordID(of: spelling)
            if try await isKnown(.website, id) {
                return RecordReference(dimension: .website, id: id, name: spelling)
            }
        }
        throw .question(
            "nothing was counted for a website \(name): "
                + "`coordinator top websites --last 7d` lists some"
        )
    }

    /// As it is written, in upper case, and as the website of the host of that name.
    private func spellings(_ name: String) -> [String] {
        var spellings = [name]
        let host: String?
        do throws(RefusalError) {
            host = try deployment.rules.resolver.resolve("http://\(name)/").website
        } catch {
            host = nil
        }
        for other in [name.uppercased(), host].compactMap(\.self)
        where !spellings.contains(where: { $0.utf8.elementsEqual(other.utf8) }) {
            spellings.append(other)
        }
        return spellings
    }

    /// A section by its name and website, by `WEBSITE/section`, or by its id.
    public func section(_ name: String, website: String?) async throws(ServiceError)
        -> RecordReference
    {
        if let id = RecordID(hex: name.lowercased()) {
            return RecordReference(dimension: .section, id: id, name: id.hex)
        }
        let parts = try Self.split(name, website)
        let site = try await self.website(parts.website)
        guard RecordID(hex: site.name) == nil else {
            throw .question("--section needs its website's name, not the id \(site.name)")
        }
        let whole = site.name + "/" + parts.section
        let id = SHA1Hasher().recordID(of: whole)
        guard try await isKnown(.section, id) else {
            throw .question(
                "nothing was counted for a section \(parts.section) of \(site.name): "
                    + "`coordinator top sections --website \(site.name) --last 7d` lists some")
        }
        return RecordReference(dimension: .section, id: id, name: whole)
    }

    /// A section and those below it, for lists: named as a section is.
    ///
    /// - Returns: the filter, the name as it was understood, and whether the section itself was
    ///   ever counted: those below it may have been without it.
    public func sectionFilter(
        _ name: String, website: String?
    ) async throws(ServiceError) -> (section: Figures.Filter.Section, name: String, isKnown: Bool) {
        if let id = RecordID(hex: name.lowercased()) {
            let client = ShardClient(deployment, deployment.layout.shard(of: id))
            guard
                let document = try await Figures(deployment).documents(.section, [id], client)[0],
                let website = RecordID(hex: document.websiteID)
            else { throw .question("nothing was counted for a section \(id)") }
            return (
                .init(id: id, website: website, name: document.name),
                document.website + "/" + document.name, true
            )
        }
        let parts = try Self.split(name, website)
        let site = try await self.website(parts.website)
        guard RecordID(hex: site.name) == nil else {
            throw .question("--section needs its website's name, not the id \(site.name)")
        }
        let whole = site.name + "/" + parts.section
        let id = SHA1Hasher().recordID(of: whole)
        return (
            .init(id: id, website: site.id, name: parts.section), whole,
            try await isKnown(.section, id)
        )
    }

    /// Website and section of a name that may hold both; names of websites have no slash.
    nonisolated static func split(
        _ name: String, _ website: String?
    ) throws(ServiceError) -> (website: String, section: String) {
        if let website { return (website, name) }
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw .question(
                "two websites may have a section of one name: give --website NAME "
                    + "with --section \(name), "
                    + "or write it as WEBSITE/\(name)")
        }
        return (String(parts[0]), String(parts[1]))
    }

    /// A page by its URL, with or without scheme, or by its id.
    public func page(_ text: String) throws(ServiceError) -> RecordReference {
        if let id = RecordID(hex: text.lowercased()) {
            return RecordReference(dimension: .page, id: id, name: id.hex)
        }
        let url = text.contains("://") ? text : "http://" + text
        do throws(RefusalError) {
            let address = try deployment.rules.resolver.resolve(url)
            return RecordReference(dimension: .page, id: address.pageID, name: address.url)
        } catch {
            throw .question("\(text) is no page: \(error.detail)")
        }
    }

    /// What is played, by the id that its player gives it, or by its record's id.
    ///
    /// A player's id may look like a record's, so it is tried as the text that it is first.
    public func item(_ dimension: Dimension, _ text: String) async throws(ServiceError)
        -> RecordReference
    {
        let id = SHA1Hasher().recordID(of: text)
        if try await isKnown(dimension, id) {
            return RecordReference(dimension: dimension, id: id, name: text)
        }
        if let id = RecordID(hex: text.lowercased()) {
            return RecordReference(dimension: dimension, id: id, name: id.hex)
        }
        let kind = dimension.kind ?? dimension.rawValue
        throw .question(
            "nothing was counted for \(kind) \(text): "
                + "`coordinator top \(kind) --last 7d` lists some")
    }

    private func isKnown(_ dimension: Dimension, _ id: RecordID) async throws(ServiceError) -> Bool
    {
        let client = ShardClient(deployment, deployment.layout.shard(of: id))
        let reply = try await deployment.cluster.ask(
            ["EXISTS", .init(RedisKeys.document(dimension, client.tag, id))], slot: client.slot)
        return reply.int == 1
    }
}
