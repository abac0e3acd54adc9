internal import CSSL
import EventLoop

/// Words for what OpenSSL says, with the way out.
enum TLSFailure {
    /// Why a handshake or a record failed, from the thread's error queue and the verdict on the
    /// chain.
    static func error(of ssl: OpaquePointer, name: String) -> LoopError {
        let code = ERR_peek_error()
        ERR_clear_error()
        let verdict = SSL_get_verify_result(ssl)
        let reason = Int32(truncatingIfNeeded: code & 0x7F_FFFF)
        if reason == SSL_R_CERTIFICATE_VERIFY_FAILED, verdict != Int(X509_V_OK) {
            return untrusted(words(forVerdict: Int32(truncatingIfNeeded: verdict), name))
        }
        if let words = words(forReason: reason) { return untrusted(words) }
        let text = ERR_reason_error_string(code).map { String(cString: $0) } ?? "protocol error"
        return LoopError(function: "TLS", reason: "TLS: \(text)")
    }

    /// The peer went away before the handshake was over.
    static let cutHandshake = LoopError(
        function: "TLS",
        reason: "the connection ended in the TLS handshake: does this port speak TLS?")

    /// What was read may not be all: TLS ends with a word of its own, which was not said.
    static let cutOff = LoopError(
        function: "TLS", reason: "the connection was cut off without TLS's close_notify")

    private static func untrusted(_ words: String) -> LoopError {
        LoopError(function: "TLS", reason: words, isUntrusted: true)
    }

    private static func words(forVerdict verdict: Int32, _ name: String) -> String {
        switch verdict {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "its certificate is not for \(name): name it as the certificate does, or give "
                + "that name with --sni"
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "its certificate has expired: renew it (or set this machine's clock)"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "its certificate is not valid yet: look at the clocks of both machines"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "its certificate is of an authority unknown here: give that authority's with "
                + "--cacert"
        default:
            let text = X509_verify_cert_error_string(Int(verdict)).map { String(cString: $0) }
            return "its certificate is not accepted (\(text ?? "code \(verdict)"))"
        }
    }

    /// Nil for reasons that waiting may mend.
    private static func words(forReason reason: Int32) -> String? {
        switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST:
            return "it does not answer in TLS: give its TLS port, or redis:// without --tls"
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
            SSL_R_NO_PROTOCOLS_AVAILABLE:
            return "it offers no TLS 1.2 or newer: allow that there (tls-protocols)"
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            return "it wants a client certificate: give one with --cert and --key"
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            return "it refuses the handshake: it may want a client certificate (--cert and "
                + "--key), or other ciphers"
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
            SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
            return "it does not accept the client certificate: give another with --cert and --key"
        default: return nil
        }
    }
}
