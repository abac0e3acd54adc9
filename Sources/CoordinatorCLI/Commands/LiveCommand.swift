import CoordinatorCore
import CoordinatorService
import EventLoop
import Glibc
import Terminal

/// `coordinator live`: now, a bar for each minute, the pages most read; again and again on a
/// terminal, once elsewhere.
@LoopActor enum LiveCommand {
    static func run(_ context: CommandContext) async throws(CommandError) -> ExitCode {
        let deployment = try await context.deployment()
        let clock = try NamedZone(context.arguments.requiredText("tz"))
        let filter = try await ListedFilter.read(.page, "pages", context, deployment)
        let view = LiveView(context, deployment, filter, clock)
        let terminal = view.terminal
        guard context.style.format == .table, terminal.isScreen else {
            let reading = try await view.read(rows: 20)
            if Questions.isForPeople(context) {
                // 20 pages and what stands above them, as on a tall terminal.
                let height = 24 + 12
                for line in view.screen(width: context.style.width, height: height).lines(reading) {
                    context.output.write(line + "\n")
                }
            } else {
                context.show(document(reading))
            }
            return context.finish(missing: reading.missing)
        }
        context.hasRefreshed = true
        return try await view.run()
    }

    private static func document(_ reading: LiveReading) -> Document {
        var table = Table([
            TableColumn("WINDOW", isName: true), TableColumn("PAGEVIEWS", .trailing),
        ])
        let bars = reading.bars.map { bar in
            table.append([.instant(bar.window), .number(bar.pageviews)])
            return JSONValue.object([
                .init("window", .integer(bar.window)),
                .init("at", .string(ISO8601Text.text(bar.window))),
                .init("pageviews", .integer(bar.pageviews)), .init("spread", .bool(bar.isSpread)),
            ])
        }
        let rows = reading.rows.enumerated().map { place, row in
            JSONValue.object([
                .init("rank", .integer(Int64(place + 1))), .init("id", .string(row.id.hex)),
                .init("url", row.name.isEmpty ? .null : .string(row.name)),
                .init("title", .optional(row.title)),
                .init("website", row.website.isEmpty ? .null : .string(row.website)),
                .init("pageviews", .integer(row.pageviews)),
                .init("devices", .optional(row.shownDevices)),
            ])
        }
        let value = JSONValue.object([
            .init("now", .string(ISO8601Text.text(reading.now))),
            .init("from", .string(ISO8601Text.text(reading.from))),
            .init("to", .string(ISO8601Text.text(reading.now))), .init("final", .bool(false)),
            .init("partial", .bool(!reading.missing.isEmpty)),
            .init("barMs", .integer(reading.barLength)),
            .init("lastBar", .optional(reading.last?.pageviews)),
            .init("devices", .integer(reading.devices)),
            .init("devicesFrom", .string(ISO8601Text.text(reading.devicesFrom))),
            .init("deviceError", .number(Figures.deviceError)),
            .init("bars", .array(bars)), .init("rows", .array(rows)),
        ])
        return Document(value, table: table)
    }
}

/// The view on a terminal, from its first frame to the last.
@LoopActor final class LiveView {
    /// How often keys are looked for.
    private static let keyInterval: Duration = .milliseconds(100)
    private static let shortestRefresh: Duration = .milliseconds(500)

    private let context: CommandContext
    private let deployment: Deployment
    private let filter: ListedFilter
    private let clock: NamedZone
    private let display: TerminalScreen
    private let every: Duration
    private var isEnding = false
    private var isStale = true

    init(
        _ context: CommandContext, _ deployment: Deployment, _ filter: ListedFilter,
        _ clock: NamedZone
    ) {
        self.context = context
        self.deployment = deployment
        self.filter = filter
        self.clock = clock
        display = TerminalScreen(context.output)
        every = max(Self.shortestRefresh, context.arguments.span("watch") ?? .seconds(2))
    }

    /// The terminal as it is now: it may have another size than before.
    var terminal: TerminalInfo {
        TerminalInfo(descriptor: STDOUT_FILENO, environment: context.environment)
    }

    func screen(width: Int, height: Int) -> LiveScreen {
        LiveScreen(
            names: filter.names, clock: clock, width: width, height: height,
            hasColour: context.style.hasColour)
    }

    func read(rows: Int) async throws(CommandError) -> LiveReading {
        try await context.service { () async throws(ServiceError) in
            try await Figures(deployment).live(filter.filter, count: rows)
        }
    }

    /// Shows frames until somebody has enough. Once there was a first one, trouble is shown below
    /// it and asked again.
    func run() async throws(CommandError) -> ExitCode {
        var reading = try await read(rows: LiveScreen.rowCount(height: terminal.height))
        let watchers = watchers()
        display.enter()
        defer {
            for watcher in watchers { watcher.close() }
            display.leave()
        }
        var trouble: String?
        while !isEnding, context.output.isUsable {
            draw(reading, trouble)
            await rest()
            guard !isEnding else { break }
            do throws(CommandError) {
                reading = try await read(rows: LiveScreen.rowCount(height: terminal.height))
                trouble = reading.missing.first.map { "partial: \($0)" }
            } catch {
                trouble = error.message
            }
        }
        return .done
    }

    private func draw(_ reading: LiveReading, _ trouble: String?) {
        let terminal = terminal
        var screen = screen(width: terminal.width, height: terminal.height)
        let often = NumberText.span(every)
        screen.footer =
            trouble ?? "not final · every \(often) · q ends"
        screen.isWarning = trouble != nil
        display.draw(screen.lines(reading))
        isStale = false
    }

    /// Until the next frame, a key, or a reason to draw again.
    private func rest() async {
        let until = loopNow() + every
        while !isEnding, !isStale, loopNow() < until {
            do { try await loopSleep(Self.keyInterval) } catch { isEnding = true }
            // Also Ctrl-D, as in a shell.
            if display.keys().contains(where: { "qQ\u{4}".utf8.contains($0) }) { isEnding = true }
        }
    }

    private func watchers() -> [SignalWatcher] {
        let end: @LoopActor () -> Void = { [weak self] in self?.isEnding = true }
        return [
            SignalWatcher(.terminate, end), SignalWatcher(.interrupt, end),
            SignalWatcher(.hangUp, end),
            SignalWatcher(.suspend) { [weak self] in
                self?.display.leave()
                kill(getpid(), SIGSTOP)
            },
            SignalWatcher(.resume) { [weak self] in
                self?.display.enter()
                self?.isStale = true
            },
            SignalWatcher(.resize) { [weak self] in self?.isStale = true },
        ]
    }
}
