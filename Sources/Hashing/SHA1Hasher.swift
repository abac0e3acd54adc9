import CCrypto
public import CoordinatorCore

/// SHA-1 by OpenSSL, for record ids: a name for things, not a protection of anything.
///
/// - Thread: any; a call shares nothing but the digest's description, which never changes.
/// - Source: OpenSSL `EVP_DigestInit(3)`, `EVP_MD_fetch(3)`.
public struct SHA1Hasher: RecordHasher {
    private static let digestLength = 20

    /// Fetched once: an implicit fetch for each digest costs more than hashing a URL does.
    ///
    /// Unsafe for the compiler only, which knows the pointer as opaque: OpenSSL never changes a
    /// fetched digest, and this one is never freed.
    private nonisolated(unsafe) static let algorithm = EVP_MD_fetch(nil, "SHA1", nil) ?? EVP_sha1()

    /// A hasher; it holds nothing.
    public init() {}

    /// The SHA-1 of `bytes`.
    public func recordID(of bytes: UnsafeRawBufferPointer) -> RecordID {
        withUnsafeTemporaryAllocation(byteCount: Self.digestLength, alignment: 8) { digest in
            let status = EVP_Digest(
                bytes.baseAddress, bytes.count, digest.baseAddress, nil, Self.algorithm, nil)
            precondition(status == 1, "OpenSSL's EVP_Digest(SHA1) failed: out of memory")
            return RecordID(
                (
                    UInt64(bigEndian: digest.load(fromByteOffset: 0, as: UInt64.self)),
                    UInt64(bigEndian: digest.load(fromByteOffset: 8, as: UInt64.self)),
                    UInt32(bigEndian: digest.load(fromByteOffset: 16, as: UInt32.self))
                ))
        }
    }
}
