import Foundation
import RedisClient
import SecureStream

/// How a cluster of the tests is closed.
struct Security: Sendable {
    var tls = false
    var acl = false

    /// What somebody asked for by hand, for all suites.
    static var asked: Security {
        let environment = ProcessInfo.processInfo.environment
        return Security(
            tls: environment["COORDINATOR_TEST_TLS"] == "1",
            acl: environment["COORDINATOR_TEST_ACL"] == "1")
    }

    /// The streams that suites read besides the default one: rules name each.
    static let sources = ["ST:TRACKER::::"] + ["A", "B", "C"].map { "ST:\($0)::::" }

    /// Passwords of the users that `usersFile` makes.
    static let daemonPassword = "daemon's&pass:word%40"
    static let readerPassword = "reader-password"

    /// The users of `coordinator acl`, as an ACL file; the tests' own tools stay the default user.
    static func usersFile(sources: [String] = []) async throws -> String {
        let words = sources.flatMap { ["--source", $0] }
        let finished = try await Child([Package.program, "acl", "-o", "json"] + words).finish()
        guard finished.code == 0 else { throw Trouble("acl: \(finished.errors)") }
        struct User: Decodable {
            let role: String
            let user: String
            let rules: String
        }
        let users = try JSONDecoder().decode([User].self, from: Data(finished.output.utf8))
        let lines = users.map { user in
            let password = user.role == "daemon" ? daemonPassword : readerPassword
            return "user \(user.user) \(user.rules) >\(password)\n"
        }
        return try Scratch.file("users.acl", Array(lines.joined().utf8))
    }

    /// What a program is told.
    func environment(seeds: String, folder: String) -> [String: String] {
        var environment = ["COORDINATOR_REDIS_URL": seeds]
        if tls {
            environment["COORDINATOR_REDIS_CACERT"] = folder + "/tls/ca.crt"
            environment["COORDINATOR_REDIS_CERT"] = folder + "/tls/client.crt"
            environment["COORDINATOR_REDIS_KEY"] = folder + "/tls/client.key"
        }
        if acl {
            environment["COORDINATOR_REDIS_USER"] = "coordinator"
            environment["COORDINATOR_REDIS_PASSWORD"] = Self.daemonPassword
        }
        return environment
    }
}

extension TestCluster {
    /// What a command is told to reach it as the Redis that is copied or migrated from.
    var asOther: [String: String] {
        let names = [
            "COORDINATOR_REDIS_CACERT": "COORDINATOR_FROM_CACERT",
            "COORDINATOR_REDIS_USER": "COORDINATOR_FROM_USER",
            "COORDINATOR_REDIS_PASSWORD": "COORDINATOR_FROM_PASSWORD",
        ]
        return names.reduce(into: [:]) { $0[$1.value] = environment[$1.key] }
    }

    /// The same for a client in the test's own process.
    func configuration() throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(urls: [seeds])
        configuration.user = environment["COORDINATOR_REDIS_USER"]
        configuration.password = environment["COORDINATOR_REDIS_PASSWORD"]
        if configuration.tls != nil {
            var options = TLSOptions()
            options.authorityFile = environment["COORDINATOR_REDIS_CACERT"]
            configuration.tls = try TLSContext(options)
        }
        return configuration
    }
}
