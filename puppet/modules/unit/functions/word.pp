# @summary A word of a command as systemd.syntax(7) wants it: taken as it is, whatever is in it.
#
# @param word
#   Program or argument.
# @return [String] The word, quoted if it must be.
function unit::word(String $word) >> String {
  if $word =~ /\A[\w\/.,:=@+~-]+\z/ {
    $word
  } else {
    $escaped = $word.regsubst('[\\\\"]', '\\\\\0', 'G').regsubst('\$', '$$', 'G').regsubst('%', '%%', 'G')
    "\"${escaped}\""
  }
}
