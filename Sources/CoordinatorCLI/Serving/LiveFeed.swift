import CoordinatorCore
import CoordinatorService
import EventLoop
import HTTPServer

/// Tells everybody who listens the status, from one reading: once a second, and at once when a
/// leader, a map or a node is another than before.
///
/// The control slot alone is looked at for that: one round trip, however many listen.
///
/// - Thread: loop only.
@LoopActor final class LiveFeed {
    private static let interval: Duration = .seconds(1)
    /// Who watches a takeover has two seconds for all of it; a silence is a matter of one.
    private static let lookInterval: Duration = .milliseconds(250)
    /// After something happened more follows: shards are claimed one after the other.
    private static let eventful: Duration = .seconds(3)
    /// A reading that fails is said so, and the connection is kept alive.
    private static let words = ["status", "--output=json", "--quiet", "--"]

    private let desk: QuestionDesk
    private var streams: [HTTPEventStream] = []
    private var timer: LoopTimer?
    private var isLooking = false
    private var signs: String?
    private var toldAt = loopNow()
    private var changedAt: MonotonicInstant?

    init(_ desk: QuestionDesk) {
        self.desk = desk
    }

    func close() {
        timer?.close()
        timer = nil
        for stream in streams { stream.end() }
        streams = []
    }

    /// One more listener; it hears the status at once.
    func add(_ stream: HTTPEventStream) {
        streams.append(stream)
        tell([stream])
        guard timer == nil else { return }
        let timer = LoopTimer { [weak self] in self?.tick() }
        self.timer = timer
        timer.start(after: Self.lookInterval, repeating: Self.lookInterval)
    }

    private func tick() {
        streams.removeAll { !$0.isOpen }
        guard !streams.isEmpty else {
            timer?.close()
            timer = nil
            signs = nil
            return
        }
        let now = loopNow()
        if now - toldAt >= Self.interval { tell(streams) }
        // One at a time: where Redis does not answer they would pile up.
        guard !isLooking else { return }
        isLooking = true
        spawn { await self.look() }
    }

    private func look() async {
        defer { isLooking = false }
        let control: ControlReading
        // That Redis is away is told by the next reading of everything.
        do throws(CommandError) { control = try await desk.control() } catch { return }
        guard !streams.isEmpty else { return }
        let now = loopNow()
        let before = signs
        signs = control.signs
        if let before, before != control.signs {
            changedAt = now
        } else if !(changedAt.map { now - $0 < Self.eventful } ?? false) {
            return
        }
        tell(streams, isNews: true)
    }

    private func tell(_ streams: [HTTPEventStream], isNews: Bool = false) {
        toldAt = loopNow()
        desk.answer(
            Self.words, lifetime: QuestionRoute.all["/status"]?.lifetime ?? .seconds(1),
            isNews: isNews, isUrgent: true
        ) { response in
            // One line: a line feed would end the event's data.
            let data = response.body.filter { $0 != 0x0A }
            let event = response.status == 200 ? "status" : "trouble"
            for stream in streams { stream.send(event: event, data: data) }
        }
    }
}
