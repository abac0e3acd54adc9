internal import CMicrohttpd

extension HTTPServer {
    /// The version of libmicrohttpd that is loaded.
    public nonisolated static var libraryVersion: String { String(cString: MHD_get_version()) }
}
