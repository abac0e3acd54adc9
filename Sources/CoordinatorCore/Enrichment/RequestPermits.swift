/// What the control slot granted: places in the one sequence of requests of all nodes.
///
/// Slots are told in the server's time. The node knows only that the server read its clock between
/// the sending and the answer, so it takes each slot to begin as if the clock had been read at the
/// very end of that, and to end as if at its very beginning: inside both, it is inside the slot.
public struct PermitGrant: Hashable, Sendable {
    /// Before the question was sent.
    public let sentAt: MonotonicInstant
    /// After the answer came.
    public let receivedAt: MonotonicInstant
    /// From the server's clock to the first slot's start, µs.
    public let firstAfter: Int64
    /// The permits, a slot each, a period apart; empty when there is no room now.
    public let permits: [RequestPermit.ID]
    /// When it is of use to ask again, if that was not enough.
    public let askAgainAfter: Duration

    /// A grant of its parts.
    public init(
        sentAt: MonotonicInstant, receivedAt: MonotonicInstant, firstAfter: Int64,
        permits: [RequestPermit.ID], askAgainAfter: Duration
    ) {
        self.sentAt = sentAt
        self.receivedAt = receivedAt
        self.firstAfter = firstAfter
        self.permits = permits
        self.askAgainAfter = askAgainAfter
    }

    /// The permits with their slots by the node's own clock; one whose slot the answer's way took
    /// up ends before it begins.
    public func slots(at rate: RequestRate) -> [RequestPermit] {
        permits.enumerated().map { index, id in
            let start = firstAfter + Int64(index) * rate.periodMicroseconds
            return RequestPermit(
                id: id, from: receivedAt + .microseconds(start),
                until: sentAt + .microseconds(start + rate.slotMicroseconds))
        }
    }
}

/// The right to begin one request, within a short stretch of time.
public struct RequestPermit: Hashable, Sendable {
    /// Its name in the control slot: unique in the deployment.
    public struct ID: Hashable, Sendable {
        /// The name.
        public let text: String

        /// A permit by its name.
        public init(_ text: String) { self.text = text }
    }

    /// Its name.
    public let id: ID
    /// The request may begin from here on.
    public let from: MonotonicInstant
    /// The request may not begin from here on.
    public let until: MonotonicInstant
}
