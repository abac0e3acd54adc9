/// A page that waits for its metadata, as its shard handed it out.
public struct WaitingPage: Hashable, Sendable {
    /// Where it waits; the shard gives it up only to who names this place.
    public enum Place: Hashable, Sendable {
        /// In the queue of new pages: its entry there.
        case queue(StreamID)
        /// In the schedule: when it was due, server time, ms.
        case schedule(Int64)
    }

    /// The page.
    public let id: RecordID
    /// Where it waits.
    public let place: Place
    /// The number of its article.
    public let article: UInt64
    /// How often asking has failed.
    public let attempts: Int
    /// How often in a row the article was not there.
    public let misses: Int
    /// It has metadata already; they are to be renewed.
    public let isKnown: Bool

    /// A page of its parts.
    public init(
        id: RecordID, place: Place, article: UInt64, attempts: Int = 0, misses: Int = 0,
        isKnown: Bool = false
    ) {
        self.id = id
        self.place = place
        self.article = article
        self.attempts = attempts
        self.misses = misses
        self.isKnown = isKnown
    }
}

/// What became of a request.
public enum ArticleOutcome: Hashable, Sendable {
    /// The article's metadata.
    case found(ArticleFields.Values)
    /// The API does not have the article (404, 410).
    case missing
    /// It may succeed another time: the API is busy or ill, or cannot be reached.
    case failed(reason: String, retryAfter: Duration?)
    /// The host answered, with something that is not the article; it may be right another time.
    case unreadable(reason: String, isHostAtFault: Bool)
    /// It will not succeed another time: a redirect, a refusal, an answer that is too large.
    case refused(reason: String, isHostAtFault: Bool)
    /// The request was given up by this node.
    case abandoned
}

/// What a shard is to note of a page.
public struct PageResult: Hashable, Sendable {
    /// What there is to note.
    public enum Change: Hashable, Sendable {
        /// Its metadata, and after how long they are renewed; nil: never.
        case found(ArticleFields.Values, again: Duration?)
        /// It is asked for again.
        case later(Duration, attempts: Int, misses: Int, reason: String)
        /// It is given up, until somebody asks for it.
        case dead(attempts: Int, reason: String)
    }

    /// The page as it was handed out.
    public let page: WaitingPage
    /// What there is to note.
    public let change: Change

    /// A result of its parts.
    public init(page: WaitingPage, change: Change) {
        self.page = page
        self.change = change
    }
}

/// A fact told to ``EnrichmentCore``. Every request is answered by exactly one event with its id.
public enum EnrichmentEvent: Sendable {
    /// Nothing but time.
    case timePassed
    /// The node works on a shard with this token.
    case shardBegun(ShardID, FencingToken)
    /// The node works on a shard no more.
    case shardEnded(ShardID)
    /// A shard handed out the pages that wait, those that are under way included.
    case pagesTaken(RequestID, [WaitingPage])
    /// A shard could not be asked.
    case takeFailed(RequestID)
    /// A shard has noted results; those whose page had moved on meanwhile it left.
    case resultsNoted(RequestID)
    /// It is not known whether a shard has noted results.
    case noteFailed(RequestID)
    /// A shard refused the token: another node works on it.
    case shardFenced(RequestID)
    /// The control slot answered.
    case permitsAnswered(RequestID, PermitGrant)
    /// The control slot could not be asked.
    case permitsFailed(RequestID)
    /// The host has no address that may be dialled.
    case hostFailed(RequestID, reason: String)
    /// A request ended.
    case requestEnded(RequestID, ArticleOutcome)
}

/// An order from ``EnrichmentCore``.
public enum EnrichmentDirective: Hashable, Sendable {
    /// Ask a shard for pages that wait: `count` from each place where they wait.
    case take(RequestID, ShardID, FencingToken, count: Int)
    /// Have a shard note results.
    case note(RequestID, ShardID, FencingToken, [PageResult])
    /// Look the host up and ask the control slot for permits, and give others back.
    case requestPermits(RequestID, wanted: Int, released: [RequestPermit.ID])
    /// Ask the API for an article, now.
    case ask(RequestID, article: UInt64)
    /// The host is not asked any more, or is again.
    case hostChanged(isAsked: Bool, reason: String)
}
