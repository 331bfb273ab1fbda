require "set"
require_relative "seeds"

module Green::House
  class Garden < Plot
    attr_reader :beds

    def self.open(name, size: default_size)
      garden = new(name)
      garden.water(size)
      garden
    end

    def water(amount = litres)
      soak
      beds.each { |bed| bed.sprinkle amount }
      total = amount
      total.zero? ? finished! : water(total - 1)
    rescue Dry => fault
      warn fault.message
    end

    def soak
      Pump.new(self).start
      größe
    end

    define_method(:größe) { measure }

    private

    def finished! = notify(:done)
  end
end

Green::House::Garden.open("x")
