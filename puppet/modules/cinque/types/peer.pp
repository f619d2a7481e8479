# @summary Another host of the cell, as far as hosts must know each other.
type Cinque::Peer = Struct[{
  name    => String[1],
  dc      => String[1],
  roles   => Array[Cinque::Role, 1],
  address => Stdlib::IP::Address::Nosubnet,
  brokers => Integer[1, 64],
}]
