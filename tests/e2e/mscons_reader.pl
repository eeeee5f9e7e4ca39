#!/usr/bin/perl
# An EDIFACT reader that is not ours (libbusiness-edifact-interchange-perl) takes each file named apart. For each a line of JSON: of each
# message its type, what it says of itself, and how many values of which sum each of its registers has. Ends with an error where that
# reader complains.
use strict;
use warnings;
use JSON::PP;

package Reader;
use parent 'Business::Edifact::Interchange';

sub message_header {
    my ($self, @data) = @_;
    my $d = $self->split_components(@data);
    push @{ $self->{seen} }, { reference => $d->[0][0], type => $d->[1][0], version => $d->[1][4], segments => 2, lines => [] };
    return $self->SUPER::message_header(@data);
}

sub user_data_segment {
    my ($self, $msg, $tag, @data) = @_;
    my $d = $self->split_components(@data);
    my $m = $self->{seen}[-1];
    $m->{segments}++;
    $m->{doc} = $d->[1][0] if $tag eq 'BGM';
    $m->{pid} = $d->[0][1] if $tag eq 'RFF' && $d->[0][0] eq 'Z13';
    $m->{loc} = $d->[1][0] if $tag eq 'LOC';
    push @{ $m->{lines} }, { n => 0, milli => 0 } if $tag eq 'LIN';
    $m->{lines}[-1]{obis} = $d->[1][0] if $tag eq 'PIA';
    if ($tag eq 'QTY') {
        my ($whole, $part) = $d->[0][1] =~ /^(\d+)(?:\.(\d{1,4}))?$/ or die "QTY: $d->[0][1]\n";
        $m->{lines}[-1]{n}++;
        $m->{lines}[-1]{milli} += $whole * 10000 + substr(($part // '') . '0000', 0, 4);
    }
    return $self->SUPER::user_data_segment($msg, $tag, @data);
}

sub message_trailer {
    my ($self, $msg, @data) = @_;
    my $m = $self->{seen}[-1];
    die "UNT: $data[0] segments, $m->{segments} counted\n" if $data[0] != $m->{segments};
    die "UNT: reference $data[1], not $m->{reference}\n" if $data[1] ne $m->{reference};
    return $self->SUPER::message_trailer($msg, @data);
}

package main;
local $SIG{__WARN__} = sub { die $_[0] };
my $json = JSON::PP->new->canonical->latin1;
for my $path (@ARGV) {
    open my $in, '<:raw', $path or die "$path: $!";
    my $text = do { local $/; <$in> };
    close $in;
    my $edi = Reader->new;
    eval { $edi->parse($text); 1 } or die "$path: $@";
    print $json->encode({ file => $path, reference => $edi->{control_ref}, messages => $edi->{seen} }), "\n";
}
