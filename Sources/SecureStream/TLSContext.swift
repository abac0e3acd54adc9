internal import CSSL
import Glibc

/// The authorities, the certificate and the rules that all TLS streams of one client share.
///
/// TLS 1.2 at least, chain and name verified unless told otherwise, no renegotiation, no
/// compression. The files are read when it is made; who wants changed ones makes another.
///
/// Unchecked for the compiler only: OpenSSL counts references of a context atomically, and nothing
/// changes it after its initialiser.
///
/// - Source: OpenSSL `SSL_CTX_new(3)`, `SSL_CTX_set_verify(3)`; RFC 9325.
public final class TLSContext: @unchecked Sendable {
    /// What it was made from.
    public let options: TLSOptions
    let context: OpaquePointer

    /// Reads the files that the options name.
    public init(_ options: TLSOptions) throws(TLSOptionsError) {
        self.options = options
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            preconditionFailure("OpenSSL's SSL_CTX_new failed: out of memory")
        }
        self.context = context
        coordinator_SSL_CTX_release_buffers(context)
        _ = coordinator_SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION)
        // Given as numbers: the macros are beyond what Swift imports (bit shifts of a cast).
        _ = SSL_CTX_set_options(context, Self.noRenegotiation | Self.noCompression)
        // A key that wants a pass phrase would make OpenSSL ask for it on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        SSL_CTX_set_verify(context, options.verifiesPeer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        try Self.trust(context, options)
        try Self.introduce(context, options)
    }

    deinit { SSL_CTX_free(context) }

    /// `SSL_OP_NO_RENEGOTIATION` and `SSL_OP_NO_COMPRESSION`, bits 30 and 17.
    private static let noRenegotiation: UInt64 = 1 << 30
    private static let noCompression: UInt64 = 1 << 17

    private static func trust(
        _ context: OpaquePointer, _ options: TLSOptions
    ) throws(TLSOptionsError) {
        guard options.verifiesPeer else { return }
        guard let file = options.authorityFile else {
            _ = SSL_CTX_set_default_verify_paths(context)
            return
        }
        try checkReadable(file, "the authorities")
        ERR_clear_error()
        guard SSL_CTX_load_verify_file(context, file) == 1 else {
            throw TLSOptionsError(
                "\(file) holds no certificate of an authority (\(reason())): give a PEM file")
        }
    }

    private static func introduce(
        _ context: OpaquePointer, _ options: TLSOptions
    ) throws(TLSOptionsError) {
        guard let file = options.certificateFile else {
            guard options.keyFile == nil else {
                throw TLSOptionsError("a key is given without its certificate: name both")
            }
            return
        }
        let keyFile = options.keyFile ?? file
        try checkReadable(file, "the certificate")
        try checkReadable(keyFile, "the key")
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(context, file) == 1 else {
            throw TLSOptionsError("\(file) holds no certificate (\(reason())): give a PEM file")
        }
        ERR_clear_error()
        guard SSL_CTX_use_PrivateKey_file(context, keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw TLSOptionsError(
                "\(keyFile) holds no key of the certificate in \(file) (\(reason())): give the "
                    + "PEM file of its key, without a pass phrase")
        }
    }

    private static func checkReadable(
        _ file: String, _ what: String
    ) throws(TLSOptionsError) {
        guard access(file, R_OK) != 0 else { return }
        let reason = String(cString: strerror(errno))
        throw TLSOptionsError("cannot read \(what) in \(file): \(reason)")
    }

    private static func reason() -> String {
        ERR_reason_error_string(ERR_peek_error()).map { String(cString: $0) } ?? "unreadable"
    }
}
