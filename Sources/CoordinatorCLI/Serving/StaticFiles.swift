import HTTPServer

/// Files that are part of the program and served as they are, by path.
enum StaticFiles {
    /// One file.
    struct File: Sendable {
        /// The whole answer, with the digest of its bytes as tag: browsers ask again and are told
        /// that nothing changed.
        let response: HTTPResponse
        /// What the page itself reads of its address.
        let parameters: [String]

        init(type: String, bytes: [UInt8], parameters: [String] = []) {
            self.parameters = parameters
            response = HTTPResponse(
                status: 200, type: type, body: bytes,
                headers: [
                    ("Cache-Control", "no-cache"), ("ETag", QuestionDesk.tag(of: bytes)),
                ])
        }
    }

    private static let script = "text/javascript; charset=utf-8"

    /// By path: the dashboard, one page and what it needs, none of it from elsewhere.
    static let all: [String: File] = [
        "/": File(
            type: "text/html; charset=utf-8", bytes: PackageResources.index_html,
            parameters: ["wall"]),
        "/dashboard/dashboard.css": File(
            type: "text/css; charset=utf-8", bytes: PackageResources.dashboard_css),
        "/dashboard/icon.svg": File(type: "image/svg+xml", bytes: PackageResources.icon_svg),
        "/dashboard/dashboard.js": File(type: script, bytes: PackageResources.dashboard_js),
        "/dashboard/deployment.js": File(type: script, bytes: PackageResources.deployment_js),
        "/dashboard/draw.js": File(type: script, bytes: PackageResources.draw_js),
        "/dashboard/figures.js": File(type: script, bytes: PackageResources.figures_js),
        "/dashboard/slots.js": File(type: script, bytes: PackageResources.slots_js),
        "/dashboard/time.js": File(type: script, bytes: PackageResources.time_js),
        "/dashboard/watch.js": File(type: script, bytes: PackageResources.watch_js),
    ]
}
