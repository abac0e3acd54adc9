import RedisClient

extension ServiceError {
    /// Why a part of an answer is missing: a sentence that is the same for all that one server
    /// owes.
    var absence: String {
        switch self {
        case .redis(.outcomeUnknown(_, let endpoint, _)):
            "redis at \(endpoint) did not answer in time"
        case .redis(.timedOut): "a master was not reached in time"
        default: description
        }
    }
}
