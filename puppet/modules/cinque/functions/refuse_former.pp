# @summary Fails where a value is given under a name that nothing reads any more: what was asked for by it would silently be gone.
#
# @param key
#   The former name.
# @param instead
#   What says it now, with an example.
# @return [Undef]
function cinque::refuse_former(String[1] $key, String[1] $instead) >> Undef {
  if lookup($key, { 'default_value' => undef }) =~ NotUndef {
    fail("${key} is not read any more: write ${instead} instead, or leave it out for none")
  }
}
