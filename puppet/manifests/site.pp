# What a host is follows from its roles in the inventory; its name there is its certname.
node default {
  lookup('cinque::host')['roles'].each |$role| {
    include "role::${role}"
  }
}
