import CLibuv

extension MainLoop {
    /// The version of libuv that is loaded.
    public static var libraryVersion: String { String(cString: uv_version_string()) }
}
