import CoordinatorCore
import CoordinatorService
import EventLoop
import Terminal

/// `coordinator shards`
@LoopActor enum ShardsCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let (control, survey) = try await context.service { () async throws(ServiceError) in
            let control = try await deployment.control()
            return (control, await deployment.survey(now: control.now))
        }
        let ownership = Ownership(control.map, survey, nodes: control.nodes)
        var table = Table([
            TableColumn("SHARD", .trailing, isName: true), TableColumn("TAG", isWideOnly: true),
            TableColumn("SLOTS", isWideOnly: true), TableColumn("NODE", isElastic: true),
            TableColumn("STATE"), TableColumn("MASTER", isElastic: true),
            TableColumn("SEALED TO", field: "sealed_to"), TableColumn("OPEN"),
            TableColumn("FENCED", .trailing, isWideOnly: true),
            TableColumn("TOKEN", isWideOnly: true),
        ])
        var values: [JSONValue] = []
        for shard in deployment.layout.shards {
            let row = Row(deployment, ownership, survey, shard)
            table.append(row.cells)
            values.append(row.value)
        }
        if Questions.isForPeople(context), context.style.showsHeaders {
            let strip = ShardStrip(ownership, nodes: control.nodes.map(\.id))
            for line in ShardLines.lines(strip, context.style) + [""] {
                context.output.write(line + "\n")
            }
        }
        context.show(Document(.array(values), lines: values, table: table))
        return context.finish(missing: survey.missing)
    }

    /// One shard in both forms.
    @LoopActor private struct Row {
        let cells: [TableCell]
        let value: JSONValue

        init(
            _ deployment: Deployment, _ ownership: Ownership, _ survey: Survey, _ shard: ShardID
        ) {
            let held = survey.states[shard.rawValue]
            let tag = deployment.layout.tag(of: shard)
            let slots = deployment.layout.slots(of: shard)
            let master = deployment.master(of: shard)
            let tiers = deployment.ladder.tiers.dropFirst()
            let first = tiers.first ?? deployment.ladder.base
            let owner = ownership.owners[shard.rawValue]?.text
            let state = ownership.states[shard.rawValue]
            cells = [
                TableCell("\(shard)"), TableCell(tag),
                TableCell("\(slots.lowerBound)–\(slots.upperBound)"), .optional(owner),
                TableCell(state.word, tone: state == .owned ? .plain : .bad), .optional(master),
                .instant(held?.sealed[first.name].flatMap { $0 > 0 ? $0 : nil }),
                .optional(held?.open.map { deployment.ladder.tiers[$0.tier - 1].name }),
                .number(held?.fenced), .optional(held?.token?.text),
            ]
            let sealed = tiers.map { JSONValue.Member($0.name, .optional(held?.sealed[$0.name])) }
            value = .object([
                .init("shard", .integer(Int64(shard.rawValue))), .init("tag", .string(tag)),
                .init(
                    "slots",
                    .array([.integer(Int64(slots.lowerBound)), .integer(Int64(slots.upperBound))])),
                .init("node", .optional(owner)), .init("token", .optional(held?.token?.text)),
                .init("master", .optional(master)), .init("sealedTo", .object(sealed)),
                .init("state", .string(state.word)), .init("claimedBy", .optional(held?.owner)),
                .init("fenced", .optional(held?.fenced)),
            ])
        }
    }
}

extension Ownership.State {
    /// As tables and JSON call it.
    var word: String {
        switch self {
        case .owned: "owned"
        case .moving: "moving"
        case .orphaned: "orphaned"
        case .unknown: "unknown"
        }
    }
}

/// The strip of all shards, with what its letters mean.
enum ShardLines {
    /// Longer names would leave room for one node a line.
    private static let longestName = 32

    static func lines(_ strip: ShardStrip, _ style: RenderingStyle) -> [String] {
        let names = Dictionary(grouping: strip.owners, by: \.node.name)
        let owners = strip.owners.map { owner -> String in
            // Two starts of one name: the map still names the older one.
            let name = names[owner.node.name]?.count == 1 ? owner.node.name : owner.node.text
            let shown = TerminalText.shortened(
                TerminalText.escaped(name), toWidth: longestName)
            return "\(owner.letter) \(shown) \(owner.shards)"
        }
        let scale =
            strip.shardsPerCharacter == 1 ? "" : "\(strip.shardsPerCharacter) shards a letter; "
        let marks = "\(scale)capital: moves there; !: nobody's; ?: did not answer"
        let width = style.format == .wide ? Int.max : style.width
        return [strip.text] + joined(owners, width: width)
            + Questions.folded(marks, to: width).map {
                Tone.faint.applied(to: $0, hasColour: style.hasColour)
            }
    }

    /// In as few lines as they fit.
    private static func joined(_ items: [String], width: Int) -> [String] {
        let gap = "   "
        var lines: [String] = []
        for item in items {
            if let last = lines.last,
                TerminalText.width(of: last) + gap.count + TerminalText.width(of: item) <= width
            {
                lines[lines.count - 1] = last + gap + item
            } else {
                lines.append(item)
            }
        }
        return lines
    }
}
