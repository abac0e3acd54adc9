import CoordinatorCore

/// What nodes do with their shards: reading the source, applying, rotating.
extension Simulation {
    private static let work = RequestID(rawValue: 0)

    // MARK: Rotation

    func rotate(_ node: SimulatedNode, _ shard: Int) {
        guard !node.isRotating[shard], let token = node.working[shard] else { return }
        node.isRotating[shard] = true
        send(node, Self.work, .rotate(shard, token))
    }

    private func takeRotation(
        _ shard: Int, _ shown: FencingToken, _ answer: Answer, _ node: SimulatedNode
    ) {
        node.isRotating[shard] = false
        var pause = schedule.window * 2
        if case .rotated(let outcome) = answer {
            switch outcome {
            case .fenced(let held):
                tell(
                    node,
                    .shardFenced(ShardID(rawValue: shard), shown: shown, by: held))
            case .open, .done: pause = 1
            case .idle: break
            }
        }
        guard node.working[shard] != nil, !node.isGone else { return }
        queue.push(.rotate(Int32(node.caller.number), Int8(shard)), at: now + pause)
    }

    // MARK: Reading

    func readOn(_ node: SimulatedNode) {
        guard node.reader.phase == .resting else { return }
        guard node.working[0] != nil else {
            node.reader = SourceReading(shards: schedule.shardCount)
            return
        }
        node.reader.phase = .watermarks
        node.reader.outstanding = 0
        for shard in node.reader.known.indices where node.reader.known[shard] == nil {
            node.reader.outstanding += 1
            send(node, Self.work, .watermark(shard))
        }
        if node.reader.outstanding == 0 { readSource(node) }
    }

    private func readSource(_ node: SimulatedNode) {
        var lowest = node.reader.known.compactMap { $0 }.min()
        if !protections.contains(.replayAfterGoingBack), node.reader.position > 0 {
            lowest = node.reader.position
        }
        guard let lowest else { return rest(node) }
        node.reader.phase = .source
        node.reader.outstanding = 1
        node.reader.chunk = []
        node.reader.chunkServer = nil
        // A quiet source is asked once.
        send(node, Self.work, random.chance(50) ? .chunk(after: lowest) : .read(after: lowest))
    }

    /// What one server showed is not made sure of by another one.
    private func takeChunk(_ answer: Answer, after position: Int64, _ node: SimulatedNode) {
        guard case .chunk(let entries, let server) = answer else { return rest(node) }
        node.reader.chunk = entries
        node.reader.chunkServer = server
        send(node, Self.work, .read(after: entries.last?.id ?? position))
    }

    private func takeRead(_ answer: Answer, _ node: SimulatedNode) {
        guard case .read(let entries, let position, let server) = answer else { return rest(node) }
        if let first = node.reader.chunkServer, first != server,
            protections.contains(.oneServer)
        {
            return rest(node)
        }
        applyAll(node, node.reader.chunk + entries, position)
    }

    private func applyAll(_ node: SimulatedNode, _ entries: [SourceEntry], _ position: Int64) {
        node.reader.phase = .applies
        node.reader.outstanding = 0
        node.reader.position = max(node.reader.position, position)
        node.reader.rounds += 1
        let advances = node.reader.rounds % 3 == 0
        for (shard, mark) in node.reader.known.enumerated() {
            guard let mark, mark <= position else { continue }
            let own = entries.filter { $0.touches(shard) && $0.id > mark }
            guard advances || !own.isEmpty else { continue }
            node.reader.outstanding += 1
            send(node, Self.work, .apply(shard, expected: mark, new: position, own))
        }
        if node.reader.outstanding == 0 { rest(node) }
    }

    private func rest(_ node: SimulatedNode) {
        node.reader.phase = .resting
        queue.push(.readOn(Int32(node.caller.number)), at: now + schedule.window)
    }

    func takeWork(_ call: Call, _ answer: Answer, _ node: SimulatedNode) {
        switch call.operation {
        case .rotate(let shard, let token): takeRotation(shard, token, answer, node)
        case .watermark(let shard):
            if case .watermark(let mark) = answer { node.reader.known[shard] = mark }
            node.reader.outstanding -= 1
            if node.reader.outstanding == 0 { readSource(node) }
        case .chunk(let position): takeChunk(answer, after: position, node)
        case .read: takeRead(answer, node)
        case .apply(let shard, _, let new, _):
            takeApplication(shard, new, answer, node)
            node.reader.outstanding -= 1
            if node.reader.outstanding == 0 { rest(node) }
        case .grant, .renew, .release, .beat, .publish, .leave, .tokens, .claim: break
        }
    }

    private func takeApplication(
        _ shard: Int, _ new: Int64, _ answer: Answer, _ node: SimulatedNode
    ) {
        guard case .applied(let outcome) = answer else {
            // It may have been applied: the slot says.
            node.reader.known[shard] = nil
            return
        }
        switch outcome {
        case .applied: node.reader.known[shard] = new
        case .elsewhere(let stored): node.reader.known[shard] = stored
        case .unclaimed:
            node.reader.known[shard] = nil
            tell(node, .shardEmptied(ShardID(rawValue: shard)))
        }
    }
}
