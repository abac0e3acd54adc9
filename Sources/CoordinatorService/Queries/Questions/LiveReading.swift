import CoordinatorCore
import EventLoop
import RedisClient

/// What happens right now, as of one moment.
public struct LiveReading: Sendable {
    /// One minute, or what else the base of the ladder is.
    public struct Bar: Sendable, Equatable {
        /// Start, ms.
        public let window: Int64
        public let pageviews: Int64
        /// Spread evenly over its parts from a window that has been merged, because the parts are
        /// gone.
        public let isSpread: Bool
    }

    /// The server's clock, ms.
    public let now: Int64
    /// How long a bar is, ms.
    public let barLength: Int64
    /// Oldest first; the last one has not ended.
    public let bars: [Bar]
    /// The devices of the last minutes, and since when those are, ms.
    public let devices: Int64
    public let devicesFrom: Int64
    /// The pages most read over all bars.
    public let rows: [FigureRow]
    /// Who did not answer.
    public let missing: [String]

    /// Start and end of what the bars cover, ms.
    public var from: Int64 { bars.first?.window ?? now }

    /// Pageviews of the last bar that has ended.
    public var last: Bar? { bars.dropLast().last }
}

extension Figures {
    private static let barCount = 30
    private static let deviceBarCount = 5

    /// Pageviews of the last 30 minutes, minute by minute, devices of the last five, and the pages
    /// most read; of everything, one website, or one section and those below.
    public func live(_ filter: Filter, count: Int) async throws(ServiceError) -> LiveReading {
        let base = deployment.ladder.base
        let now = try await deployment.serverTime()
        let end = base.end(of: base.start(of: now))
        let from = max(0, end - Int64(Self.barCount) * base.lengthMilliseconds)
        let view = try await look(
            at: .windows(Interval(tier: base, from: from, to: end)), deployment.layout.shards)
        let scope = Scope(self, .page, filter)
        try await scope.learn(view)
        let subject = LiveSubject(scope, filter, deployment.layout)
        let minutes = try await bars(view, subject, from..<end)
        let ranking = await ranking(.page, view)
        let chosen = try await first(count, of: ranking, scope)
        let rows = try await named(try await withDevices(chosen, .page, view), .page, view)
        var recent = view
        recent.interval = Interval(
            tier: view.interval.tier,
            from: max(from, end - Int64(Self.deviceBarCount) * base.lengthMilliseconds), to: end)
        return LiveReading(
            now: now, barLength: base.lengthMilliseconds, bars: minutes.bars,
            devices: try await union(recent, subject), devicesFrom: recent.interval.from,
            rows: rows,
            missing: minutes.missing + ranking.missing.filter { !minutes.missing.contains($0) })
    }

    /// Whose bars: some records', or those of all websites.
    private struct LiveSubject: Sendable {
        let dimension: Dimension
        /// By shard; nil for all of the dimension.
        let ids: [ShardID: [RecordID]]?

        @LoopActor init(_ scope: Scope, _ filter: Filter, _ layout: ShardLayout) {
            if filter.section != nil {
                dimension = .section
                ids = Dictionary(grouping: scope.sections, by: layout.shard(of:))
            } else {
                dimension = .website
                ids = filter.website.map { [layout.shard(of: $0): [$0]] }
            }
        }
    }

    private func bars(
        _ view: View, _ subject: LiveSubject, _ span: Range<Int64>
    ) async throws(ServiceError) -> (bars: [LiveReading.Bar], missing: [String]) {
        let base = deployment.ladder.base
        var missing = view.survey.missing
        let replies = await gather(view.indexes.count, limit: Self.concurrency) {
            place -> Result<[LiveReading.Bar], ServiceError> in
            guard let index = view.indexes[place] else { return .success([]) }
            do throws(ServiceError) {
                return .success(try await self.bars(index, subject, span))
            } catch {
                return .failure(error)
            }
        }
        var bars = stride(
            from: span.lowerBound, to: span.upperBound, by: Int(base.lengthMilliseconds)
        )
        .map { LiveReading.Bar(window: $0, pageviews: 0, isSpread: false) }
        for reply in replies {
            switch reply {
            case .success(let found):
                for bar in found {
                    let place = Int((bar.window - span.lowerBound) / base.lengthMilliseconds)
                    bars[place] = LiveReading.Bar(
                        window: bar.window, pageviews: bars[place].pageviews + bar.pageviews,
                        isSpread: bars[place].isSpread || bar.isSpread)
                }
            case .failure(let error):
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        return (bars, missing)
    }

    /// One shard's bars. Where a window of the base is gone, its merged parent is spread.
    private func bars(
        _ index: WindowIndex, _ subject: LiveSubject, _ span: Range<Int64>
    ) async throws(ServiceError) -> [LiveReading.Bar] {
        let ids = subject.ids.map { $0[index.state.shard] ?? [] }
        if let ids, ids.isEmpty { return [] }
        let client = ShardClient(deployment, index.state.shard)
        let base = deployment.ladder.base
        let parent = deployment.ladder.tiers[1]
        let own = index.windows[0].filter { span.contains($0) }
        let covered = Set(index.windows[0].map { parent.start(of: $0) })
        let merged = index.windows[1].filter { start in
            index.isDone(parent, start) && !covered.contains(start)
                && parent.end(of: start) > span.lowerBound && start < span.upperBound
        }
        let pieces =
            own.map { Interval.Piece(tier: base, start: $0) }
            + merged.map { Interval.Piece(tier: parent, start: $0) }
        let names = ids?.map { RedisArgument($0.hex) }
        let replies = try await client.pipeline(
            pieces.map { piece in
                let key = RedisArgument(
                    RedisKeys.pageviews(piece.tier, subject.dimension, client.tag, piece.start))
                guard let names else {
                    return RedisCommand(
                        "ZRANGE", key, "0", "-1", "WITHSCORES", isRepeatable: true)
                }
                return RedisCommand(["ZMSCORE", key] + names, isRepeatable: true)
            })
        var bars: [LiveReading.Bar] = []
        for (piece, reply) in zip(pieces, replies) {
            let views =
                names == nil
                ? reply.records.reduce(0) { $0 + $1.views }
                : (reply.items ?? []).reduce(0) { $0 + ($1.score ?? 0) }
            bars += Self.spread(views, piece, base).filter { span.contains($0.window) }
        }
        return bars
    }

    /// A window's views as bars of the base: as even as whole numbers are.
    nonisolated static func spread(
        _ views: Int64, _ piece: Interval.Piece, _ base: Tier
    ) -> [LiveReading.Bar] {
        let count = piece.tier.lengthMilliseconds / base.lengthMilliseconds
        return (0..<count).map { place in
            LiveReading.Bar(
                window: piece.start + place * base.lengthMilliseconds,
                pageviews: views * (place + 1) / count - views * place / count,
                isSpread: count > 1)
        }
    }

    /// The devices of a subject's records together.
    private func union(
        _ view: View, _ subject: LiveSubject
    ) async throws(ServiceError) -> Int64 {
        let tallies: [Tally]
        if let ids = subject.ids {
            tallies = ids.flatMap { shard, own in
                own.map { Tally(id: $0, shard: shard, views: 0) }
            }
        } else {
            tallies = await ranking(subject.dimension, view).tallies
        }
        let reader = DeviceReader(deployment, keepsUnion: true)
        _ = try await byShard(tallies, \.shard) { own, shard async throws(ServiceError) in
            guard let index = view.index(of: shard) else { return [Int64]() }
            let pieces = view.interval.pieces(in: index, self.deployment.ladder)
            return try await reader.count(subject.dimension, own.map(\.id), pieces, shard)
        }
        return reader.union.estimate
    }
}
