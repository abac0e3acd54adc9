public import CoordinatorCore
public import RedisClient

/// What can keep a command or a node from its work.
public enum ServiceError: Error, CustomStringConvertible {
    /// Redis did not do it.
    case redis(RedisError)
    /// There are no settings in this Redis.
    case notInitialised
    /// Settings that no node can work with.
    case settings(SettingsError)
    /// `init` with other settings than those in force; one sentence for each difference.
    case settingsDiffer([String])
    /// What is stored under a key of ours is not what we write there.
    case unreadable(key: String, detail: String)
    /// A shard holds the digest of other settings.
    case otherSettings(shard: ShardID)
    /// Another device key than the deployment's, by their names; nil for none.
    case deviceKey(given: String?, stored: String?)
    /// A greater token was found: another node works on the shard.
    case fenced(shard: ShardID, by: String)
    /// The question cannot be answered as it was put.
    case question(String)
    /// The wait ended before the work.
    case timedOut(String)

    public var description: String {
        switch self {
        case .redis(let error): "\(error)"
        case .notInitialised:
            "this Redis holds no deployment: write its settings once with `coordinator init`"
        case .settings(let error): "\(error)"
        case .settingsDiffer(let lines):
            "the deployment has other settings: " + lines.joined(separator: "; ")
                + ". Settings are fixed once written: give the same ones, or use another Redis"
        case .unreadable(let key, let detail):
            "\(key) does not hold what the coordinator writes there: \(detail)"
        case .otherSettings(let shard):
            "shard \(shard) was started with other settings than the deployment's: "
                + "restore the settings it was initialised with"
        case .deviceKey(let given, let stored): Self.deviceKeySentence(given, stored)
        case .fenced(let shard, let token):
            "shard \(shard) was claimed by another node with token \(token)"
        case .question(let text): text
        case .timedOut(let text): text
        }
    }

    private static func deviceKeySentence(_ given: String?, _ stored: String?) -> String {
        switch (given, stored) {
        case (_, nil):
            "this deployment was initialised without a device key and stores device ids as they "
                + "come: leave out --device-key-file, or begin another deployment with "
                + "`coordinator init --device-key-file`"
        case (nil, let stored?):
            "this deployment stores device ids under a key (its name is \(stored)): give the file "
                + "with that key, --device-key-file or COORDINATOR_DEVICE_KEY_FILE"
        case (let given?, let stored?):
            "the device key is another one than this deployment's (\(given) here, \(stored) there) "
                + "and would count every device a second time: give the file with the key that it "
                + "was initialised with"
        }
    }
}
