import CoordinatorCore
import RedisClient

/// What `status` and `check` say of the search indexes.
extension IndexSurvey {
    /// Masters that lack an index.
    private var lacking: [Master] {
        masters.filter { master in
            master.indexes != nil && Dimension.viewed.contains { master.index($0) == nil }
        }
    }

    /// Why searches are not complete, one clause each; nothing where they are.
    ///
    /// A master that does not answer is said by others: it keeps more than searches.
    var concerns: [String] {
        var concerns: [String] = []
        if !lacking.isEmpty {
            concerns.append("search indexes are missing on \(Self.names(lacking))")
        }
        let filling = masters.filter { master in
            Dimension.viewed.contains { master.index($0).map { !$0.isComplete } ?? false }
        }
        if !filling.isEmpty {
            concerns.append("search indexes are being filled on \(Self.names(filling))")
        }
        return concerns
    }

    /// The lines of `check`.
    var checkLines: [CheckLine] {
        let name = "search indexes"
        var lines: [CheckLine] = []
        if !lacking.isEmpty {
            lines.append(
                CheckLine(
                    .warning, name,
                    "missing on \(Self.names(lacking)): the leader makes them; is a node running? "
                        + "`coordinator status` says so"))
        }
        for master in masters {
            for dimension in Dimension.viewed {
                guard let index = master.index(dimension), let failures = index.failures,
                    failures > 0
                else { continue }
                lines.append(
                    CheckLine(
                        .warning, name,
                        "\(failures) documents of \(master.master.endpoint) could not be indexed: "
                            + "`redis-cli FT.INFO \(index.name)` there names the last one and why"))
            }
        }
        for case .drop(let index, let number) in plan.plan.stranded {
            lines.append(
                CheckLine(
                    .warning, name,
                    "\(index) on \(plan.masters[number].endpoint) is no longer used and costs "
                        + "memory: slot \(index.slot), that of its name, went to another master, "
                        + "and Redis drops an index only where that is; move the slot there and "
                        + "back, or see Operations"))
        }
        guard lines.isEmpty else { return lines }
        let documents = masters.reduce(Int64(0)) { sum, master in
            sum + (master.index(.page)?.documents ?? 0)
        }
        let state = concerns.isEmpty ? "complete" : concerns.joined(separator: "; ")
        return [CheckLine(.ok, name, "\(state), \(documents) pages")]
    }

    private static func names(_ masters: [Master]) -> String {
        masters.map { "\($0.master.endpoint)" }.joined(separator: ", ")
    }
}
