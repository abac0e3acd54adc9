import CoordinatorService

@main enum Bench {
    static func main() {}
}
