import RedisClient
import SecureStream
import Terminal

/// How to reach Redis, from flags, environment, configuration file and secrets in files.
enum RedisArguments {
    /// A password or key is a line.
    static let maximumSecretBytes = 4_096

    /// Everything checked that can be checked without asking Redis.
    ///
    /// - Errors: `.configuration`, with the setting and the way out.
    static func configuration(_ arguments: ParsedArguments) throws(RedisError) -> RedisConfiguration
    {
        let given = arguments.texts("redis-url")
        var configuration = try RedisConfiguration(urls: given.isEmpty ? ["127.0.0.1:6379"] : given)
        if configuration.password != nil, arguments.origin("redis-url") == .commandLine {
            throw .configuration(
                "a password in --redis-url is never an argument, others could read it: set "
                    + "COORDINATOR_REDIS_URL or COORDINATOR_REDIS_PASSWORD_FILE")
        }
        if let user = arguments.text("user") { configuration.user = user }
        try addPassword(arguments, &configuration)
        if configuration.user != nil, configuration.password == nil {
            // Without AUTH the connection would silently be the default user's.
            throw .configuration(
                "--user needs a password: set COORDINATOR_REDIS_PASSWORD or "
                    + "COORDINATOR_REDIS_PASSWORD_FILE")
        }
        try addTLS(arguments, &configuration)
        configuration.clientName = "coordinator-" + (arguments.command.first ?? "")
        if let timeout = arguments.span("timeout"), arguments.command != ["wait"] {
            configuration.commandTimeout = timeout
            configuration.connectTimeout = min(timeout, configuration.connectTimeout)
        }
        return configuration
    }

    /// A password is never an argument: environment, file or prompt.
    private static func addPassword(
        _ arguments: ParsedArguments, _ configuration: inout RedisConfiguration
    ) throws(RedisError) {
        if arguments.flag("askpass") {
            guard let typed = PasswordPrompt.read("Redis password: ") else {
                throw .configuration(
                    "--askpass needs a terminal: set COORDINATOR_REDIS_PASSWORD instead")
            }
            configuration.password = typed
        } else if let path = arguments.text("password-file") {
            configuration.password = try secret(path)
            // Read again at each new connection: a rotated password needs no restart. One that
            // cannot be read at that moment (it is being replaced) leaves the last one in force.
            configuration.passwordSource = {
                do throws(RedisError) { return try secret(path) } catch { return nil }
            }
        } else if let password = arguments.text("password") {
            configuration.password = password
        }
    }

    /// The first line of a file.
    static func secret(_ path: String) throws(RedisError) -> String {
        do throws(CommandError) {
            let text = try TextFile.read(path, limit: maximumSecretBytes)
            let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            guard !line.isEmpty else {
                throw CommandError(.configuration, "\(path) is empty: its first line is the secret")
            }
            return line
        } catch {
            throw .configuration(error.message)
        }
    }

    private static func addTLS(
        _ arguments: ParsedArguments, _ configuration: inout RedisConfiguration
    ) throws(RedisError) {
        var options = TLSOptions()
        options.authorityFile = arguments.text("cacert")
        options.certificateFile = arguments.text("cert")
        options.keyFile = arguments.text("key")
        options.serverName = arguments.text("sni")
        options.verifiesPeer = !arguments.flag("insecure")
        guard arguments.flag("tls") || configuration.tls != nil else {
            guard options == TLSOptions() else {
                throw .configuration(
                    "--cacert, --cert, --key, --sni and --insecure are for TLS, which is off: give "
                        + "--tls or rediss://")
            }
            return
        }
        configuration.tls = try RedisConfiguration.secure(options)
    }
}
