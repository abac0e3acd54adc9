import CoordinatorCore
import Hashing

/// A Lua script, called by its digest and loaded on a server that does not know it.
public struct RedisScript: Hashable, Sendable {
    /// For errors and logs.
    public let name: String
    /// The Lua text.
    public let source: [UInt8]
    /// The digest Redis knows it by, 40 lower-case hex digits.
    public let sha1: String

    /// Computes the digest of `source`.
    public init(name: String, source: [UInt8]) {
        self.name = name
        self.source = source
        sha1 = source.withUnsafeBytes { SHA1Hasher().recordID(of: $0).hex }
    }

    /// A call of the script.
    public func command(
        keys: [String], arguments: [RedisArgument], isRepeatable: Bool = false
    ) -> RedisCommand {
        var writer = RedisCommandWriter(script: self, keyCount: keys.count)
        for key in keys { writer.append(key) }
        for argument in arguments { writer.append(argument) }
        return writer.finish(isRepeatable: isRepeatable)
    }

    /// The command that makes a server know it.
    var loadCommand: RedisCommand {
        RedisCommand("SCRIPT", "LOAD", RedisArgument(source), isRepeatable: true)
    }
}
