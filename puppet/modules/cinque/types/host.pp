# @summary This host, as `cinque inventory hiera` writes it.
type Cinque::Host = Struct[{
  name      => String[1],
  dc        => String[1],
  dc_number => Integer[0, 255],
  dc_kind   => Enum['live', 'backup', 'outside'],
  rack      => String[1],
  roles     => Array[Cinque::Role, 1],
  address   => Stdlib::IP::Address::Nosubnet,
  brokers   => Integer[1, 64],
}]
