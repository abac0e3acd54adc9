import CoordinatorCore
import EventLoop

extension Figures {
    /// What shards hold around a question, and the interval that can be answered from it.
    struct View: Sendable {
        /// What was asked for, or the same in windows of a coarser tier that still has it.
        let interval: Interval
        let survey: Survey
        /// In the order of the shards asked; nil where a shard did not answer.
        let indexes: [WindowIndex?]
        /// Within these times windows were listed: the top tier's windows around the interval, ms.
        let span: (from: Int64, to: Int64)

        /// Every shard that was asked has sealed and merged all of it.
        var isFinal: Bool {
            indexes.allSatisfy { index in
                index.map { interval.to <= $0.state.done[interval.tier.name] ?? 0 } ?? false
            }
        }
    }

    /// Looks which windows some shards hold around a question, and chooses the tier to answer from.
    ///
    /// - Errors: `.question` when parts of it are gone in every tier: zeros would read as a truth.
    func look(at question: Interval, _ shards: [ShardID]) async throws(ServiceError) -> View {
        let ladder = deployment.ladder
        let widest = Interval(tier: ladder.top, from: question.from, to: question.to)
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
            interval: try choose(question, indexes.compactMap { $0 }, now), survey: survey,
            indexes: indexes, span: (widest.from, widest.to))
    }

    private func choose(
        _ question: Interval, _ indexes: [WindowIndex], _ now: Int64
    ) throws(ServiceError) -> Interval {
        let ladder = deployment.ladder
        let allowance = deployment.settings.outageAllowanceMilliseconds
        for tier in ladder.tiers[question.tier.index...] {
            let interval = Interval(tier: tier, from: question.from, to: question.to)
            let isKept = indexes.allSatisfy {
                $0.keeps(
                    tier, from: interval.from, to: interval.to, ladder, allowance: allowance,
                    now: now)
            }
            if isKept { return interval }
        }
        let keep = TimeSpan.format(ladder.top.keepMilliseconds)
        throw .question(
            "figures of \(Timestamp(milliseconds: question.from)) are no longer kept: "
                + "\(ladder.top.name), the coarsest tier, keeps its windows \(keep)"
                + (allowance > 0 ? " and \(TimeSpan.format(allowance)) more for outages" : "")
                + "; ask for a later --at or a shorter --last")
    }
}
