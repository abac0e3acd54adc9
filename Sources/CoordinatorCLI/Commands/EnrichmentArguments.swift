import CoordinatorCore
import EventLoop
import Terminal

/// How a node asks the article API, from the arguments of `run`.
@LoopActor enum EnrichmentArguments {
    /// Nil when enrichment is off.
    static func read(_ context: CommandContext) throws(CommandError) -> EnrichmentSettings? {
        let arguments = context.arguments
        var given = EnrichmentSettings.Given()
        given.url = arguments.text("enrich-url") ?? ""
        given.allowedHosts = arguments.texts("enrich-allow").flatMap {
            $0.split { $0 == "," || $0 == " " }.map(String.init)
        }
        given.allowsPrivate = arguments.flag("enrich-allow-private")
        given.timeout = arguments.requiredSpan("enrich-timeout")
        given.concurrency = arguments.requiredInteger("enrich-concurrency")
        given.rate = arguments.requiredText("enrich-rate")
        given.attempts = arguments.requiredInteger("enrich-attempts")
        given.refresh = arguments.requiredSpan("enrich-refresh")
        given.title = arguments.requiredText("enrich-title")
        given.kicker = arguments.requiredText("enrich-kicker")
        given.displayDate = arguments.requiredText("enrich-display-date")
        do throws(EnrichmentError) { return try EnrichmentSettings(given) } catch {
            throw CommandError(.configuration, "\(error)")
        }
    }
}
