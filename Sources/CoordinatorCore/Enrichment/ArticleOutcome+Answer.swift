/// What an answer of the API means.
///
/// - Source: RFC 9110, "Status Codes".
extension ArticleOutcome {
    /// The outcome of a whole answer.
    ///
    /// - Parameter retryAfter: how long the server asks to be left alone.
    public init(
        status: Int, body: [UInt8], retryAfter: Duration?, fields: ArticleFields
    ) {
        switch status {
        case 200:
            do throws(ArticleFields.Unreadable) {
                self = .found(try fields.read(body))
            } catch {
                self = .unreadable(reason: error.reason, isHostAtFault: !error.isJSON)
            }
        case 404, 410: self = .missing
        case 501, 505: self = .refused(reason: "status \(status)", isHostAtFault: true)
        case 408, 425, 429, 500...599:
            self = .failed(reason: "status \(status)", retryAfter: retryAfter)
        case 300..<400:
            self = .refused(
                reason: "status \(status): a redirect, which is not followed", isHostAtFault: true)
        case 401, 403, 407:
            self = .refused(reason: "status \(status): not allowed", isHostAtFault: true)
        case 400..<500: self = .refused(reason: "status \(status)", isHostAtFault: false)
        default: self = .unreadable(reason: "status \(status)", isHostAtFault: false)
        }
    }
}
