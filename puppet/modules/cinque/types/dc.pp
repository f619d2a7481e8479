# @summary A datacenter of the cell.
type Cinque::Dc = Struct[{
  name     => String[1],
  number   => Integer[1, 255],
  kind     => Enum['live', 'backup'],
  replicas => Integer[1, 5],
}]
