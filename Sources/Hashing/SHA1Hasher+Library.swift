import CCrypto

extension SHA1Hasher {
    /// The version of OpenSSL that is loaded.
    public static var libraryVersion: String {
        String(cString: OpenSSL_version(OPENSSL_VERSION_STRING))
    }
}
