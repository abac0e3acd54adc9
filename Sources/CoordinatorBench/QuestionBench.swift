import CoordinatorCore
import CoordinatorService
import EventLoop

/// Latencies of the questions that look at many records.
@LoopActor struct QuestionBench {
    private static let pagesOfUnion = 1_000
    private static let hour: Int64 = 3_600_000

    let deployment: Deployment
    /// The end of the traffic, ms.
    let end: Int64

    /// - Parameter time: measures one question again and again.
    func run(
        _ report: inout BenchReport,
        _ time:
            @LoopActor (
                String, inout BenchReport, @LoopActor () async throws(ServiceError) -> Void
            )
            async throws(BenchError) -> Void
    ) async throws(BenchError) {
        let figures = Figures(deployment)
        guard let day = Interval(last: 24 * Self.hour, at: end, ladder: deployment.ladder),
            let hour = Interval(last: Self.hour, at: end, ladder: deployment.ladder)
        else { return }
        let active: [FigureRow]
        do throws(ServiceError) {
            active = try await figures.top(
                .page, day, filter: .init(), by: .pageviews, count: .max
            ).value
        } catch {
            throw BenchError(message: "\(error)")
        }
        report.add("active pages in 24h", Double(active.count), "pages")
        try await time("top pages --last 24h --by devices", &report) {
            () async throws(ServiceError) in
            _ = try await figures.top(
                .page, day, filter: .init(), by: .devices, count: 20)
        }
        try await time("top pages --last 24h --compare previous", &report) {
            () async throws(ServiceError) in
            _ = try await figures.top(
                .page, .windows(day), filter: .init(), by: .pageviews, count: 20,
                comparing: Comparison(.previous))
        }
        let step = max(1, active.count / Self.pagesOfUnion)
        let some = stride(from: 0, to: active.count, by: step).prefix(Self.pagesOfUnion).map {
            RecordReference(dimension: .page, id: active[$0].id, name: active[$0].name)
        }
        try await time("report of \(some.count) pages --last 24h", &report) {
            () async throws(ServiceError) in
            _ = try await figures.report(some, .windows(day))
        }
        try await time("devices of \(some.count) pages × 24 windows of 1HOUR", &report) {
            () async throws(ServiceError) in
            _ = try await figures.union(some, inEachWindowOf: day)
        }
        try await time("trending pages --last 1h", &report) { () async throws(ServiceError) in
            _ = try await figures.trending(
                .page, hour, filter: .init(), rule: TrendingRule(floor: 10, factor: 2), count: 20)
        }
        try await time("live", &report) { () async throws(ServiceError) in
            _ = try await figures.live(.init(), count: 20)
        }
    }
}
