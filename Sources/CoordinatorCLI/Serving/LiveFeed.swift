import CoordinatorCore
import EventLoop
import HTTPServer

/// Tells everybody who listens the status, once a second, from one reading.
///
/// - Thread: loop only.
@LoopActor final class LiveFeed {
    private static let interval: Duration = .seconds(1)
    /// A reading that fails is said so, and the connection is kept alive.
    private static let words = ["status", "--output=json", "--quiet", "--"]

    private let desk: QuestionDesk
    private var streams: [HTTPEventStream] = []
    private var timer: LoopTimer?

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
        timer.start(after: Self.interval, repeating: Self.interval)
    }

    private func tick() {
        streams.removeAll { !$0.isOpen }
        guard !streams.isEmpty else {
            timer?.close()
            timer = nil
            return
        }
        tell(streams)
    }

    private func tell(_ streams: [HTTPEventStream]) {
        desk.answer(Self.words, lifetime: QuestionRoute.all["/status"]?.lifetime ?? .seconds(1)) {
            response in
            // One line: a line feed would end the event's data.
            let data = response.body.filter { $0 != 0x0A }
            let event = response.status == 200 ? "status" : "trouble"
            for stream in streams { stream.send(event: event, data: data) }
        }
    }
}
