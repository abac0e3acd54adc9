import CCrypto

/// The secret under which device ids are stored: every one is replaced by its HMAC-SHA-256 before
/// anything of it leaves the process.
///
/// All nodes and imports of a deployment have to use the same one, or a device counts once under
/// each. The deployment's settings keep ``name``, so that another key is refused.
public struct DeviceKey: Sendable {
    /// A shorter secret could be guessed from one stored id and the device it belongs to.
    public static let shortestSecret = 16
    /// A key is a line, not a file somebody named by mistake.
    public static let longestSecret = 4_096
    private static let nameLength = 8
    /// What the name is the HMAC of; no device id has a line feed in front.
    private static let nameText = Array("\ncoordinator device key".utf8)

    let secret: [UInt8]
    /// Tells keys apart and tells nobody the key: 16 hex digits of an HMAC of a fixed text.
    public let name: String

    /// A key; line ends behind the secret are not part of it.
    ///
    /// - Errors: `.length` for fewer than 16 or more than 4,096 bytes.
    public init(secret bytes: [UInt8]) throws(DeviceKeyError) {
        let isLineEnd: (UInt8) -> Bool = { $0 == 0x0A || $0 == 0x0D }
        let end = bytes.lastIndex { !isLineEnd($0) }.map { $0 + 1 } ?? 0
        guard (Self.shortestSecret...Self.longestSecret).contains(end) else {
            throw .length(end)
        }
        secret = Array(bytes[..<end])
        var text: [UInt8] = []
        let hasher = DeviceHasher(secret: secret)
        Self.nameText.withUnsafeBytes { hasher.append($0, bytes: Self.nameLength, to: &text) }
        name = String(decoding: text, as: UTF8.self)
    }
}

/// Why a secret is no device key.
public enum DeviceKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// It has so many bytes.
    case length(Int)

    /// One lower-case line with the way out, without the secret.
    public var description: String {
        switch self {
        case .length(let count):
            "a device key has \(DeviceKey.shortestSecret) to \(DeviceKey.longestSecret) bytes, "
                + "not \(count): make one with `openssl rand -hex 32`"
        }
    }
}

/// Replaces device ids under a key: 32 hex digits of HMAC-SHA-256, no allocation for each.
///
/// 128 bits of it: two of a billion devices share them with a chance of 1 to 10²⁰, and an id stays
/// as short as the usual ones are.
///
/// - Thread: the one that made it: its context is used again for each id.
/// - Source: RFC 2104; OpenSSL `EVP_MAC(3)`, `EVP_MAC-HMAC(7)`.
public final class DeviceHasher {
    /// Bytes of what is stored in place of an id.
    public static let length = keptLength * 2
    private static let digestLength = 32
    private static let keptLength = 16

    private let context: OpaquePointer

    /// A hasher of its own context under a key.
    public convenience init(_ key: DeviceKey) { self.init(secret: key.secret) }

    init(secret: [UInt8]) {
        let algorithm = EVP_MAC_fetch(nil, OSSL_MAC_NAME_HMAC, nil)
        defer { EVP_MAC_free(algorithm) }
        guard let context = EVP_MAC_CTX_new(algorithm) else {
            preconditionFailure("OpenSSL has no HMAC")
        }
        self.context = context
        var digest = Array("SHA256".utf8CString)
        let status = digest.withUnsafeMutableBufferPointer { digest in
            let parameters = [
                OSSL_PARAM_construct_utf8_string(
                    OSSL_MAC_PARAM_DIGEST, digest.baseAddress, 0),
                OSSL_PARAM_construct_end(),
            ]
            return EVP_MAC_init(context, secret, secret.count, parameters)
        }
        precondition(status == 1, "OpenSSL's EVP_MAC_init(HMAC-SHA-256) failed")
    }

    deinit { EVP_MAC_CTX_free(context) }

    /// Appends what is stored in place of a device id.
    public func append(_ id: UnsafeRawBufferPointer, to text: inout [UInt8]) {
        append(id, bytes: Self.keptLength, to: &text)
    }

    func append(_ id: UnsafeRawBufferPointer, bytes kept: Int, to text: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.digestLength) { digest in
            // Without a key: the context goes on with the one it has.
            let status =
                EVP_MAC_init(context, nil, 0, nil) == 1
                && EVP_MAC_update(
                    context, id.assumingMemoryBound(to: UInt8.self).baseAddress, id.count) == 1
                && EVP_MAC_final(context, digest.baseAddress, nil, digest.count) == 1
            precondition(status, "OpenSSL's EVP_MAC(HMAC-SHA-256) failed: out of memory")
            for byte in digest[..<kept] {
                text.append(Self.digit(byte >> 4))
                text.append(Self.digit(byte & 15))
            }
        }
    }

    @inline(__always)
    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 &+ value : 0x57 &+ value
    }
}
