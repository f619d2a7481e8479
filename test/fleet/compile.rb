# compile.rb TREE FACTS NAME...: the catalogue of each host as Puppet would apply it there, one JSON document.
# A missing Hiera value, a wrong type, a resource that nobody declares, a dependency cycle: one line on stderr, code 1.
require 'json'
require 'puppet'
require 'tmpdir'

tree, facts_file, *names = ARGV
Dir.mktmpdir do |work|
  Puppet.initialize_settings(['--confdir', work, '--vardir', work, '--hiera_config', "#{tree}/hiera.yaml",
                              '--strict', 'error', '--strict_variables', '--log_level', 'err'])
  environment = Puppet::Node::Environment.create(
    :production, ["#{tree}/modules", '/usr/share/puppet/modules'], "#{tree}/manifests"
  )
  catalogues = names.to_h do |name|
    Puppet.override(current_environment: environment,
                    loaders: Puppet::Pops::Loaders.new(environment),
                    trusted_information: Puppet::Context::TrustedInformation.new('local', name, {})) do
      facts = JSON.parse(File.read(facts_file))
      node = Puppet::Node.new(name, facts: Puppet::Node::Facts.new(name, facts), environment: environment)
      node.merge(facts)
      node.trusted_data = { 'certname' => name, 'authenticated' => 'local', 'extensions' => {} }
      catalogue = Puppet::Parser::Compiler.compile(node)
      ral = catalogue.to_ral
      ral.finalize
      ral.relationship_graph.report_cycles_in_graph if ral.relationship_graph.respond_to?(:report_cycles_in_graph)
      [name, catalogue.resources.reject(&:virtual?).map { |one| { type: one.type, title: one.title, parameters: one.to_hash.transform_values(&:to_s) } }]
    rescue StandardError => e
      warn "#{name}: #{e.message}"
      exit 1
    end
  end
  puts JSON.generate(catalogues)
end
