import CoordinatorCore

/// What must hold in one shard's own state, judged from one reading of it.
struct StateAudit {
    let ladder: Ladder
    /// The digest of the deployment's settings.
    let stamp: String
    /// The shard map; nil before the first one.
    let map: ShardMap?
    /// Rotation begins here; no tier can be past this and the clock, ms.
    let latest: Int64

    /// Everything that is wrong with a shard's fields.
    ///
    /// - Parameter unmerged: dimensions with a list of records still to merge.
    func violations(
        _ shard: ShardID, _ fields: [String: String], unmerged: [Dimension]
    ) -> [Violation] {
        guard fields["settings"] != nil else {
            return [Violation(.owner, "shard \(shard) has no state: no node has claimed it")]
        }
        return ownership(shard, fields) + progress(shard, fields)
            + rotation(shard, fields, unmerged) + watermarks(shard, fields) + ledger(shard, fields)
    }

    private func ownership(_ shard: ShardID, _ fields: [String: String]) -> [Violation] {
        var found: [Violation] = []
        let expected = map.flatMap {
            $0.entries.indices.contains(shard.rawValue) ? $0.entries[shard.rawValue] : nil
        }
        if fields["settings"] != stamp {
            found.append(
                Violation(
                    .settings,
                    "shard \(shard) was started with other settings than the deployment's"))
        }
        let token = fields["token"]
        if token.flatMap({ FencingToken($0) }) == nil {
            found.append(
                Violation(.token, "shard \(shard) holds the token '\(token ?? "")', which is none"))
        } else if let expected, token != expected.token.text {
            found.append(
                Violation(
                    .token,
                    "shard \(shard) holds token \(token ?? ""), the map \(expected.token)"))
        }
        let owner = fields["owner"] ?? ""
        if owner.isEmpty {
            found.append(Violation(.owner, "shard \(shard) has no owner"))
        } else if let named = expected?.owner, owner != named.text {
            found.append(
                Violation(.owner, "shard \(shard) is owned by \(owner), the map names \(named)"))
        }
        return found
    }

    // MARK: Progress

    private func progress(_ shard: ShardID, _ fields: [String: String]) -> [Violation] {
        var found: [Violation] = []
        let open = fields["open"].flatMap(ShardState.window)
        var finerDone: Int64?
        for tier in ladder.tiers.dropFirst() {
            func add(_ detail: String) {
                found.append(
                    Violation(.progress, tier: tier.name, "shard \(shard): \(tier.name) \(detail)"))
            }
            guard let sealed = fields["sealed:\(tier.name)"].flatMap({ Int64($0) }),
                let done = fields["done:\(tier.name)"].flatMap({ Int64($0) })
            else {
                add("has no sealed-to or done-to that can be read")
                continue
            }
            let opened = open.flatMap { $0.tier - 1 == tier.index ? $0.start : nil }
            if tier.start(of: sealed) != sealed || tier.start(of: done) != done {
                add("is sealed to \(sealed), done to \(done): no ends of its windows")
            }
            if let opened {
                if sealed != tier.end(of: opened) || done != opened {
                    add("merges \(opened), but is sealed to \(sealed) and done to \(done)")
                }
            } else if sealed != done {
                add("is sealed to \(sealed) and done to \(done), and nothing is being merged")
            }
            if sealed > latest { add("is sealed to \(sealed), which is ahead of the clock") }
            if let finerDone, sealed > finerDone {
                add("is sealed to \(sealed), the tier below is done to \(finerDone) only")
            }
            finerDone = done
        }
        return found
    }

    private func rotation(
        _ shard: ShardID, _ fields: [String: String], _ unmerged: [Dimension]
    ) -> [Violation] {
        guard let text = fields["open"] else {
            var found: [Violation] = []
            if !unmerged.isEmpty {
                let lists = unmerged.map(\.rawValue).joined(separator: ", ")
                found.append(
                    Violation(
                        .rotation,
                        "shard \(shard) has records still to merge (\(lists)), "
                            + "and no rotation under way"
                    ))
            }
            if fields["collected"] != nil {
                found.append(
                    Violation(
                        .rotation,
                        "shard \(shard) has collected parts, and no rotation is under way"))
            }
            return found
        }
        guard let open = ShardState.window(text),
            ladder.tiers.indices.dropFirst().contains(open.tier - 1),
            ladder.tiers[open.tier - 1].start(of: open.start) == open.start
        else {
            return [
                Violation(
                    .rotation, "shard \(shard) merges '\(text)', which is no window of a tier")
            ]
        }
        return []
    }

    // MARK: Watermarks and ledger

    private func watermarks(_ shard: ShardID, _ fields: [String: String]) -> [Violation] {
        let sources = Set(
            fields.keys.filter { $0.hasPrefix("wm:") || $0.hasPrefix("at:") }.map {
                String($0.dropFirst(3))
            })
        var found: [Violation] = []
        for source in sources.sorted() {
            let first = fields["wm:\(source)"]
            let second = fields["at:\(source)"]
            if first != second {
                found.append(
                    Violation(
                        .watermark,
                        "shard \(shard): the watermark of \(source) is \(first ?? "gone"), "
                            + "its copy \(second ?? "gone"): one was changed by hand"))
            } else if first.flatMap({ StreamID($0) }) == nil {
                found.append(
                    Violation(
                        .watermark,
                        "shard \(shard): the watermark of \(source) is '\(first ?? "")', no id"))
            }
        }
        return found
    }

    private func ledger(_ shard: ShardID, _ fields: [String: String]) -> [Violation] {
        let counters = fields.filter { name, _ in
            name.hasPrefix("read:") || name.hasPrefix("counted:") || name.hasPrefix("refused:")
        }
        return counters.sorted { $0.key < $1.key }.compactMap { name, value in
            if let count = Int64(value), count >= 0 { return nil }
            return Violation(.ledger, "shard \(shard): \(name) is '\(value)', no count")
        }
    }
}
