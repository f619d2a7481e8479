# @summary A public key of OpenSSH, one line.
type Profile::Sshkey = Pattern[/\A(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+\/=]+[^\n]*\z/]
