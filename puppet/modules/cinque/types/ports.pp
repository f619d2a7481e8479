# @summary Ports of the cell, as the inventory has them.
type Cinque::Ports = Struct[{
  mqtt      => Stdlib::Port,
  mqtts     => Stdlib::Port,
  http      => Stdlib::Port,
  https     => Stdlib::Port,
  nats      => Stdlib::Port,
  gateway   => Stdlib::Port,
  nats_http => Stdlib::Port,
  metrics   => Stdlib::Port,
  checker   => Stdlib::Port,
}]
