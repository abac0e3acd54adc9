import CoordinatorCore

/// One source as the deployment lists it.
///
/// - Shape: a field of the hash `H:SOURCES::{control}::`, named by the stream's key, as JSON.
public struct SourceRecord: Codable, Equatable, Sendable {
    /// What kind of stream it is.
    public enum Kind: String, Codable, Sendable {
        /// Trackers write to it for ever; nothing more up to now is an answer.
        case live
        /// A file: ids follow the event times in it.
        case `import`
    }

    /// An open import that did not renew its mark for this long holds no rotation back.
    static let silenceMilliseconds: Int64 = 60_000

    public var key: String
    public var kind: Kind
    /// The file an import came from, for people.
    public var name: String?
    /// Server time, ms: when it was added; for an import also the floor of what its windows are
    /// kept.
    public var startedAt: Int64
    /// Server time, ms: when an import last said that it makes progress.
    public var markedAt: Int64
    /// The import has written everything, and Redis has confirmed it.
    public var isFinished: Bool
    /// The last id that an import wrote.
    public var lastID: String?
    /// Server time, ms: when all shards were first seen to hold all of it.
    public var confirmedAt: Int64?
    /// Its stream is trimmed: nobody reads it any more.
    public var isSettled: Bool

    /// An import that stays open until a time, ms of the server's clock, and holds rotation back so
    /// long.
    public init(heldImport key: String, until time: Int64) {
        self.init(
            key: key, kind: .import, name: nil, startedAt: 0, markedAt: time, isFinished: false,
            lastID: nil, confirmedAt: nil, isSettled: false)
    }

    init(
        key: String, kind: Kind, name: String?, startedAt: Int64, markedAt: Int64, isFinished: Bool,
        lastID: String?, confirmedAt: Int64?, isSettled: Bool
    ) {
        self.key = key
        self.kind = kind
        self.name = name
        self.startedAt = startedAt
        self.markedAt = markedAt
        self.isFinished = isFinished
        self.lastID = lastID
        self.confirmedAt = confirmedAt
        self.isSettled = isSettled
    }

    /// Whether rotation keeps behind this source's watermark.
    func holdsRotation(now: Int64) -> Bool {
        switch kind {
        case .live: true
        case .import:
            confirmedAt == nil && (isFinished || now - markedAt < Self.silenceMilliseconds)
        }
    }
}
