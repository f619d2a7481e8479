# @summary What a host runs, as the inventory has it.
type Cinque::Role = Enum['db', 'app', 'checker']
