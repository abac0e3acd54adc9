/// Which code does the commands of `ProgramModel.questions`.
extension CommandTable {
    static let questions: [String: Body] = [
        "top": TopCommand.run, "report": ReportCommand.run, "trending": TrendingCommand.run,
        "live": LiveCommand.run,
    ]
}
