import HTTPServer

/// Files that are part of the program and served as they are, by path.
enum StaticFiles {
    /// One file.
    struct File: Sendable {
        /// The whole answer, with the digest of its bytes as tag: browsers ask again and are told
        /// that nothing changed.
        let response: HTTPResponse

        init(type: String, bytes: [UInt8]) {
            response = HTTPResponse(
                status: 200, type: type, body: bytes,
                headers: [
                    ("Cache-Control", "no-cache"), ("ETag", QuestionDesk.tag(of: bytes)),
                ])
        }
    }

    /// By path.
    static let all: [String: File] = [
        "/": File(type: "text/plain; charset=utf-8", bytes: Array(list.utf8))
    ]

    /// What there is, for somebody who asks without knowing.
    private static let list =
        "coordinator node\n\n"
        + (["/livez", "/readyz", "/leader", "/metrics", "/api/v1/live"]
        + QuestionRoute.known.keys.sorted()).joined(separator: "\n") + "\n"
}
