internal import CCurl

extension HTTPClient {
    /// The version of libcurl that is loaded.
    public nonisolated static var libraryVersion: String {
        guard let text = curl_version_info(CURLVERSION_FIRST)?.pointee.version else { return "" }
        return String(cString: text)
    }
}
