import CoordinatorCore
import CoordinatorService
import EventLoop
import Glibc
import RedisClient
import SecureStream
import Terminal

/// One run of one command: its arguments, where its output goes, and the connection it may open.
///
/// - Thread: loop only.
@LoopActor final class CommandContext {
    let arguments: ParsedArguments
    let environment: [String: String]
    let style: RenderingStyle
    let output = OutputWriter.standardOutput()
    private let errors = OutputWriter.standardError()
    private let errorTerminal: TerminalInfo
    private var cluster: RedisCluster?
    /// The command showed itself again and again, as long as it was wanted.
    var hasRefreshed = false
    private var hasWarned = false
    /// Whether what is shown is kept for a request instead of printed.
    private let isCapturing: Bool
    /// What was shown, when it is kept.
    private(set) var captured: JSONValue?

    /// A command that is run for a request, on a client that stays the caller's.
    init(capturing arguments: ParsedArguments, on cluster: RedisCluster) {
        self.arguments = arguments
        self.cluster = cluster
        environment = [:]
        isCapturing = true
        errorTerminal = TerminalInfo(descriptor: -1, environment: [:])
        style = RenderingStyle(format: .json, width: 80, hasColour: false, showsHeaders: true)
    }

    init(_ arguments: ParsedArguments, _ environment: [String: String]) {
        self.arguments = arguments
        self.environment = environment
        isCapturing = false
        let terminal = TerminalInfo(descriptor: STDOUT_FILENO, environment: environment)
        errorTerminal = TerminalInfo(descriptor: STDERR_FILENO, environment: environment)
        style = RenderingStyle(
            format: OutputFormat(rawValue: arguments.requiredText("output")) ?? .table,
            width: terminal.width,
            hasColour: terminal.hasColour && !arguments.flag("no-color"),
            showsHeaders: !arguments.flag("no-headers"))
    }

    /// Runs the command, again and again with `--watch`.
    func run() async -> ExitCode {
        var code: ExitCode
        do throws(CommandError) {
            code = try await perform()
            if let every = arguments.span("watch"), !hasRefreshed {
                while output.isUsable {
                    output.flush()
                    do { try await loopSleep(every) } catch { break }
                    clearScreen()
                    code = try await perform()
                }
            }
        } catch {
            tell("coordinator: \(TerminalText.escaped(error.message))")
            code = error.code
        }
        if let failure = output.finish() {
            tell("coordinator: \(failure)")
            if code == .done { code = .unexpected }
        }
        await cluster?.close()
        return code
    }

    /// Runs the command once.
    func perform() async throws(CommandError) -> ExitCode {
        guard let command = CommandTable.commands[arguments.command.joined(separator: " ")] else {
            preconditionFailure("the command \(arguments.command) is declared but not written")
        }
        if let picture = SeriesPicture.format(self), arguments.command != ["series"] {
            throw CommandError(.usage, "-o \(picture.rawValue) is for `coordinator series`")
        }
        return try await command(self)
    }

    private func clearScreen() {
        if style.hasColour
            || TerminalInfo(descriptor: STDOUT_FILENO, environment: environment).isTerminal
        {
            output.write("\u{1B}[H\u{1B}[2J")
        }
    }

    /// The same arguments again, with what the configuration file holds now.
    func argumentsReadAgain() throws(CommandError) -> ParsedArguments {
        let parser = ArgumentParser(ProgramModel.program, environment: environment)
        do throws(ArgumentError) {
            guard case .run(let again) = try parser.parse(Array(CommandLine.arguments.dropFirst()))
            else { return arguments }
            return again
        } catch {
            throw CommandError(.usage, "\(error)")
        }
    }

    // MARK: Output

    /// Prints an answer in the format asked for.
    func show(_ document: Document) {
        if isCapturing {
            captured = document.value
            return
        }
        output.write(document.text(style))
    }

    /// A line for people, on stderr; nothing with `-q`, unless it is why the command failed.
    func note(_ text: String) {
        if !arguments.flag("quiet") { tell(text) }
    }

    private func tell(_ text: String) {
        guard !isCapturing else { return }
        // Whoever made the sentence, it ends here: nothing of it moves the cursor.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        errors.write(lines.map { TerminalText.escaped(String($0)) + "\n" }.joined())
        errors.flush()
    }

    /// Writes as it is to stderr, for progress.
    func progress(_ text: String?) {
        guard let text else { return }
        errors.write(text)
        errors.flush()
    }

    /// A bar where stderr is a terminal, a line now and then elsewhere.
    func progressBar(_ label: String, total: Int64?, unit: ProgressBar.Unit) -> ProgressBar {
        ProgressBar(
            label, total: total, unit: unit,
            mode: ProgressBar.mode(errorTerminal, isQuiet: arguments.flag("quiet")))
    }

    /// Says on stderr what is missing, and gives the exit code of partial data.
    func finish(missing: [String]) -> ExitCode {
        guard !missing.isEmpty else { return .done }
        for sentence in missing { tell("coordinator: partial: \(TerminalText.escaped(sentence))") }
        return .partial
    }

    // MARK: Redis

    /// The cluster, connected once for a command.
    func connect() async throws(CommandError) -> RedisCluster {
        if let cluster { return cluster }
        let cluster = cluster(try checkedConfiguration())
        do throws(RedisError) {
            try await cluster.start()
            return cluster
        } catch {
            throw CommandError(error)
        }
    }

    /// A client that this command closes at its end; it knows nobody yet.
    func cluster(_ configuration: RedisConfiguration) -> RedisCluster {
        let cluster = RedisCluster(configuration)
        self.cluster = cluster
        return cluster
    }

    /// How to reach Redis, from flags, environment and files.
    func checkedConfiguration() throws(CommandError) -> RedisConfiguration {
        let configuration: RedisConfiguration
        do throws(RedisError) {
            configuration = try RedisArguments.configuration(arguments)
        } catch {
            throw CommandError(error)
        }
        if configuration.tls?.options.verifiesPeer == false, !hasWarned {
            hasWarned = true
            // Also with -q: it must not be forgotten in a script.
            tell(
                "coordinator: --insecure: the servers' certificates are not verified, anybody could"
                    + " answer in their place; give --cacert instead")
        }
        return configuration
    }

    /// The deployment in the cluster.
    func deployment() async throws(CommandError) -> Deployment {
        let cluster = try await connect()
        do throws(ServiceError) { return try await Deployment(cluster) } catch {
            throw CommandError(error)
        }
    }

    /// The same, for a command that writes device ids.
    func writingDeployment() async throws(CommandError) -> Deployment {
        let key = try SettingsArguments.deviceKey(arguments)
        let deployment = try await deployment()
        do throws(ServiceError) { try deployment.use(key) } catch { throw CommandError(error) }
        return deployment
    }

    /// Runs a service call with its failure as this command's.
    func service<Value: Sendable>(
        _ body: @LoopActor () async throws(ServiceError) -> Value
    ) async throws(CommandError) -> Value {
        do throws(ServiceError) { return try await body() } catch { throw CommandError(error) }
    }
}
