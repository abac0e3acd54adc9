import CoordinatorCore
import EventLoop

/// The time that a question is about.
public enum Period: Sendable, Equatable {
    /// Whole windows of a tier, or of a coarser one where that is gone.
    case windows(Interval)
    /// A stretch, ms since 1970, as close as the windows that are kept come to its ends.
    case stretch(from: Int64, to: Int64)

    /// Start and end as asked for, ms.
    var asked: Range<Int64> {
        switch self {
        case .windows(let interval): interval.from..<max(interval.from, interval.to)
        case .stretch(let from, let to): from..<max(from, to)
        }
    }
}

extension Figures {
    /// What shards hold around a question, and the interval that can be answered from it.
    struct View: Sendable {
        /// What was asked for, or what comes closest to it of what is still kept.
        var interval: Interval
        let survey: Survey
        /// In the order of the shards asked; nil where a shard did not answer.
        let indexes: [WindowIndex?]
        /// Within these times windows were listed: the top tier's windows around the interval, ms.
        let span: (from: Int64, to: Int64)

        /// Every shard that was asked has sealed and merged all of it.
        var isFinal: Bool {
            indexes.allSatisfy { index in
                index.map { interval.to <= $0.state.done[interval.edge.name] ?? 0 } ?? false
            }
        }

        /// The shard's windows.
        func index(of shard: ShardID) -> WindowIndex? {
            indexes.first { $0?.state.shard == shard } ?? nil
        }
    }

    /// Looks which windows some shards hold around a question, and chooses what to answer from.
    ///
    /// - Errors: `.question` when parts of it are gone in every tier: zeros would read as a truth.
    func look(at period: Period, _ shards: [ShardID]) async throws(ServiceError) -> View {
        let top = deployment.ladder.top
        let asked = period.asked
        let widest = Interval(tier: top, from: asked.lowerBound, to: asked.upperBound)
        let now = try await deployment.serverTime()
        let deployment = deployment
        let replies = await gather(shards.count) { place -> Result<WindowIndex, ServiceError> in
            do throws(ServiceError) {
                let client = ShardClient(deployment, shards[place])
                return .success(try await client.index(from: widest.from, to: widest.to, now: now))
            } catch {
                return .failure(error)
            }
        }
        var indexes: [WindowIndex?] = []
        var missing: [String] = []
        for reply in replies {
            switch reply {
            case .success(let index): indexes.append(index)
            case .failure(let error):
                indexes.append(nil)
                if !missing.contains(error.absence) { missing.append(error.absence) }
            }
        }
        let survey = Survey(states: indexes.map { $0?.state }, missing: missing, now: now)
        return View(
            interval: try choose(period, indexes.compactMap { $0 }, now), survey: survey,
            indexes: indexes, span: (widest.from, widest.to))
    }

    private func choose(
        _ period: Period, _ indexes: [WindowIndex], _ now: Int64
    ) throws(ServiceError) -> Interval {
        let ladder = deployment.ladder
        let allowance = deployment.settings.outageAllowanceMilliseconds
        func keeps(_ tier: Tier, from: Int64, to: Int64) -> Bool {
            indexes.allSatisfy {
                $0.keeps(tier, from: from, to: to, ladder, allowance: allowance, now: now)
            }
        }
        switch period {
        case .windows(let question):
            for tier in ladder.tiers[question.tier.index...] {
                let interval = Interval(tier: tier, from: question.from, to: question.to)
                if keeps(tier, from: interval.from, to: interval.to) { return interval }
            }
        case .stretch:
            let asked = period.asked
            let found = Interval(holding: asked, ladder, now: now) {
                keeps($0, from: $1, to: max($1, asked.upperBound))
            }
            if let found { return found }
        }
        let keep = TimeSpan.format(ladder.top.keepMilliseconds)
        throw .question(
            "figures of \(Timestamp(milliseconds: period.asked.lowerBound)) are no longer kept: "
                + "\(ladder.top.name), the coarsest tier, keeps its windows \(keep)"
                + (allowance > 0 ? " and \(TimeSpan.format(allowance)) more for outages" : "")
                + "; ask for a later --at or a shorter --last")
    }
}
