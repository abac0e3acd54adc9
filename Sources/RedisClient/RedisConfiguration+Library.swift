import CHiredis

extension RedisConfiguration {
    /// The version of hiredis that this was compiled with; the library itself does not tell it.
    public static var libraryVersion: String {
        "\(HIREDIS_MAJOR).\(HIREDIS_MINOR).\(HIREDIS_PATCH)"
    }
}
