import EventLoop
import RedisClient
import SecureStream
import Terminal

/// How to reach a Redis besides the deployment's own: one that is copied or migrated from.
enum OtherRedis {
    /// Everything checked that can be checked without asking it.
    ///
    /// - Parameter option: the option that has its address.
    /// - Errors: `.configuration`, with the setting and the way out.
    @LoopActor static func configuration(
        _ context: CommandContext, option: String, clientName: String
    ) throws(CommandError) -> RedisConfiguration {
        let arguments = context.arguments
        do throws(RedisError) {
            var configuration = try RedisConfiguration(urls: arguments.texts(option))
            guard configuration.password == nil || arguments.origin(option) != .commandLine else {
                throw .configuration(
                    "a password in --\(option) can be read by everybody on this host: set "
                        + "COORDINATOR_FROM_PASSWORD or give --from-password-file")
            }
            if let user = arguments.text("from-user") { configuration.user = user }
            if let path = arguments.text("from-password-file") {
                configuration.password = try RedisArguments.secret(path)
            } else if let password = arguments.text("from-password") {
                configuration.password = password
            }
            if let authorities = arguments.text("from-cacert") {
                guard configuration.tls != nil else {
                    throw .configuration("--from-cacert is for TLS: give --\(option) rediss://…")
                }
                var options = TLSOptions()
                options.authorityFile = authorities
                configuration.tls = try RedisConfiguration.secure(options)
            }
            configuration.clientName = clientName
            if let timeout = arguments.span("timeout") {
                configuration.commandTimeout = timeout
                configuration.connectTimeout = min(timeout, configuration.connectTimeout)
            }
            return configuration
        } catch {
            throw CommandError(error)
        }
    }
}
