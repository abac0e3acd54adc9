internal import CBuild
import EventLoop
import HTTPClient
import Hashing
import ImportFormats
import RedisClient

/// What this program calls itself.
public enum Version {
    /// Semantic version of the program.
    public static let text = "0.1.0"
    /// When the manual page of this version was last changed, as mdoc writes a day.
    public static let manualDate = "November 26, 2026"
}

/// Of what, how and for what the program was built.
public enum BuildInformation {
    /// A library and its version at run time.
    public struct Library: Sendable {
        public let name: String
        public let version: String

        /// A library of this name and version.
        public init(_ name: String, _ version: String) {
            self.name = name
            self.version = version
        }
    }

    /// The commit, where whoever built it gave `COORDINATOR_COMMIT`; nil otherwise.
    ///
    /// Not asked of git while it is built: SwiftPM keeps what a manifest said, and a wrong commit
    /// is worse than none.
    public static let commit: String? = {
        let text = String(cString: coordinator_build_commit())
        return text.isEmpty ? nil : text
    }()

    /// The compiler's version, as far as a program can ask for it.
    public static let swift: String = {
        #if compiler(>=6.5)
            "6.5 or newer"
        #elseif compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }()

    /// `debug` or `release`.
    public static let configuration: String = {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }()

    /// Processor and system.
    public static let target: String = {
        #if arch(x86_64)
            "x86_64-linux"
        #elseif arch(arm64)
            "aarch64-linux"
        #else
            "linux"
        #endif
    }()

    /// The libraries that counting stands on.
    public static var libraries: [Library] {
        [
            Library("libuv", MainLoop.libraryVersion),
            Library("hiredis", RedisConfiguration.libraryVersion),
            Library("libcurl", HTTPClient.libraryVersion),
            Library("openssl", SHA1Hasher.libraryVersion),
            Library("zlib", ByteSource.libraryVersion),
        ]
    }
}
